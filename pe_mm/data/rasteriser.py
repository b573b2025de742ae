"""Exact z-buffering of triangles with numpy, row span by row span."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .meshes import Floats, Ints

NEAR = 0.05  # Metres; triangles that reach nearer to the camera are not drawn.


class Fragments(NamedTuple):
    """Pixels covered by triangles, hidden ones included.

    Args:
        pixel: (N,) flat pixel ids.
        inverse_depth: (N,) 1 / depth of the triangle at the pixel's centre.
        triangle: (N,) triangle ids.
    """

    pixel: Ints
    inverse_depth: NDArray[np.float32]
    triangle: Ints


def rasterise(triangles: Floats, *, focal: float, size: int) -> Fragments:
    """List the pixels whose centres front-facing triangles cover.

    Args:
        triangles: (T, 3, 3) corners in camera axes, counter-clockwise seen from
            outside.
        focal: Focal length in picture widths.
        size: Width and height of the picture.
    """
    normals = np.cross(
        triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    )
    offsets = (normals * triangles[:, 0]).sum(axis=1)
    drawn = np.flatnonzero((offsets < -1e-12) & (triangles[:, :, 2].min(axis=1) > NEAR))
    corners = triangles[drawn]
    screen = size * (0.5 + focal * corners[:, :, :2] / corners[:, :, 2:])
    span, row, start, count = _row_spans(screen, size)
    # On a plane n.p = d the inverse depth is linear in the picture: n.ray / d.
    slope = normals[drawn] / offsets[drawn, None] / (size * focal, size * focal, 1)
    slope[:, 2] -= slope[:, :2].sum(axis=1) * size / 2
    step = slope[span, 0]
    first = step * (start + 0.5) + slope[span, 1] * (row + 0.5) + slope[span, 2]
    rank = ragged_ranges(count)
    inverse = np.repeat(first, count) + np.repeat(step, count) * rank
    pixel = np.repeat(row * size + start, count) + rank
    return Fragments(pixel, inverse.astype(np.float32), np.repeat(drawn[span], count))


def nearest(
    fragments: Fragments, pixels: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Keep the nearest fragment of every pixel.

    Returns:
        Inverse depth (0 where nothing is), and triangle id (-1 where nothing is).
    """
    # The bits of a positive float sort like the float, so one integer maximum finds
    # the nearest surface and carries its name along.
    keys = fragments.inverse_depth.view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= (fragments.triangle + 1).astype(np.uint64)
    buffer = np.zeros(pixels, dtype=np.uint64)
    np.maximum.at(buffer, fragments.pixel, keys)
    inverse = (buffer >> np.uint64(32)).astype(np.uint32).view(np.float32)
    triangle = (buffer & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1
    return inverse, triangle.astype(np.int32)


def ragged_ranges(counts: Ints) -> Ints:
    """Concatenate arange(n) for every n."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - counts, counts)


def _row_spans(screen: Floats, size: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Cut triangles (T, 3, 2) into rows: triangle, row, first column and length."""
    x, y = screen[..., 0], screen[..., 1]
    first = np.clip(np.ceil(y.min(axis=1) - 0.5), 0, size).astype(np.int64)
    last = np.clip(np.floor(y.max(axis=1) - 0.5), -1, size - 1).astype(np.int64)
    rows = np.maximum(last - first + 1, 0)
    triangle = np.repeat(np.arange(len(screen)), rows)
    row = first[triangle] + ragged_ranges(rows)
    dx, dy = x[:, [1, 2, 0]] - x, y[:, [1, 2, 0]] - y
    area = dx[:, 0] * dy[:, 1] - dy[:, 0] * dx[:, 1]
    sign = np.where(area > 0, 1.0, -1.0)
    low = np.zeros(len(triangle))
    high = np.full(len(triangle), float(size))
    with np.errstate(divide='ignore', invalid='ignore'):
        for edge in range(3):
            rise = (sign * dy[:, edge])[triangle]
            crossing = (
                x[triangle, edge]
                + (row + 0.5 - y[triangle, edge])
                * (dx[:, edge] / dy[:, edge])[triangle]
            )
            # Level edges bound no row: the first and the last row already do.
            np.minimum(high, crossing, out=high, where=rise > 0)
            np.maximum(low, crossing, out=low, where=rise < 0)
    # The tiny slack closes cracks between neighbours; depth decides what it doubles.
    start = np.ceil(low - 0.5 - 1e-7).astype(np.int64)
    stop = np.floor(high - 0.5 + 1e-7).astype(np.int64)
    start, stop = np.maximum(start, 0), np.minimum(stop, size - 1)
    count = np.maximum(stop - start + 1, 0)
    kept = count > 0
    return triangle[kept], row[kept], start[kept], count[kept]
