"""Pictures of predictions: instances, label maps, depth."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]

_TEXT = cv2.FONT_HERSHEY_SIMPLEX
_SMALL = 500  # Class names cannot be read at the size of a smaller picture.
_LARGE = 1000  # Lines and letters grow with larger ones.
_OPACITY = 0.5
_MIN_SHARE = 0.002  # Smaller regions have no room for a name.
_SEARCHED = 500  # Places for names are looked for in a map of so many pixels a side.


def zoom_of(image: Picture) -> int:
    """Return by how much a picture is enlarged before something is drawn on it."""
    return 2 if max(image.shape[:2]) < _SMALL else 1


def draw_instances(
    image: Picture,
    boxes: NDArray[np.floating],
    masks: Sequence[NDArray[np.bool_]] | NDArray[np.bool_],
    names: Sequence[str],
    colors: Sequence[Sequence[int]],
    *,
    zoom: int = 2,
) -> Picture:
    """Draw instances over an enlarged copy of a picture.

    Args:
        image: (H, W, 3) BGR.
        boxes: (N, 4) x0, y0, x1, y1 in pixels.
        masks: (N, H, W), or nothing for boxes alone.
        names: N texts.
        colors: N colours, BGR.
        zoom: How many times larger the copy is.
    """
    canvas = _enlarge(image, zoom)
    size = canvas.shape[1::-1]
    for mask, color in zip(masks, colors, strict=False):
        large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
        x, y, width, height = cv2.boundingRect(large)
        part = canvas[y : y + height, x : x + width]
        inside = large[y : y + height, x : x + width] > 0
        _blend(part, np.full_like(part, tuple(color)), 0.4, inside)
    for box, name, color in zip(boxes, names, colors, strict=True):
        x0, y0, x1, y1 = (int(round(zoom * float(value))) for value in box)
        width = max(1, round(_scale(canvas)))
        cv2.rectangle(canvas, (x0, y0), (x1, y1), tuple(color), width, cv2.LINE_AA)
        _put_name(canvas, name, (x0, y0), color)
    return canvas


def draw_regions(
    image: Picture,
    labels: NDArray[np.integer],
    regions: Mapping[int, tuple[str, Sequence[int]]],
    *,
    zoom: int = 1,
) -> Picture:
    """Tint the regions of a label map and write their names into them.

    Args:
        image: (H, W, 3) BGR.
        labels: (H, W).
        regions: Name and BGR colour of every label to draw.
        zoom: How many times larger than the image the picture is.
    """
    canvas = _enlarge(image, zoom)
    large = labels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    colors = np.zeros((max([*regions, int(large.max())]) + 1, 3), np.uint8)
    shown = np.zeros(len(colors), bool)
    for label, (_, color) in regions.items():
        colors[label], shown[label] = color, True
    _blend(canvas, np.take(colors, large, axis=0), _OPACITY, shown[large])
    edges = np.zeros(large.shape, bool)
    edges[1:] |= large[1:] != large[:-1]
    edges[:, 1:] |= large[:, 1:] != large[:, :-1]
    canvas[edges] = 255
    step = max(1, max(large.shape) // _SEARCHED)
    for label, (name, color) in regions.items():
        region = large[::step, ::step] == label
        if region.mean() >= _MIN_SHARE:
            x, y = _roomiest_place(region)
            _put_name(canvas, name, (step * x, step * y), color, centered=True)
    return canvas


def color_depth(depth: NDArray[np.floating], near: float, far: float) -> Picture:
    """Colour depth from red (near) over green to blue (far), black where unknown.

    Args:
        depth: (H, W) in any unit; NaN and infinity are no depth.
        near: Depth of the first colour, in the same unit.
        far: Depth of the last.
    """
    known = np.isfinite(depth)
    share = (np.where(known, depth, near) - near) / max(far - near, 1e-9)
    index = np.rint(255 * (1 - np.clip(share, 0, 1))).astype(np.uint8)
    picture = cv2.applyColorMap(index, cv2.COLORMAP_TURBO)
    picture[~known] = 0
    return picture


def draw_depth(
    image: Picture, depth: NDArray[np.floating], *, zoom: int = 1
) -> Picture:
    """Put a picture, its depth in colours and their scale in metres side by side.

    Args:
        image: (H, W, 3) BGR.
        depth: (H, W) in metres; NaN and infinity are no depth.
        zoom: How many times larger than the image the picture is.
    """
    known = depth[np.isfinite(depth)]
    near, far = (known.min(), known.max()) if known.size else (0.0, 0.0)
    left = _enlarge(image, zoom)
    colored = cv2.resize(
        color_depth(depth, float(near), float(far)),
        left.shape[1::-1],
        interpolation=cv2.INTER_NEAREST,
    )
    gap = np.full((len(left), max(4, round(6 * _scale(left))), 3), 255, np.uint8)
    bar = _depth_scale(len(left), float(near), float(far), _scale(left))
    return np.hstack([left, gap, colored, gap, bar])


def _depth_scale(height: int, near: float, far: float, scale: float) -> Picture:
    """Draw the colours of depths, near at the bottom, with their metres."""
    bar_width, text_width = round(16 * scale), round(64 * scale)
    bar = np.full((height, bar_width + text_width, 3), 255, np.uint8)
    ramp = np.linspace(far, near, height)[:, None].repeat(bar_width, axis=1)
    bar[:, :bar_width] = color_depth(ramp, near, far)
    line = 12 * scale  # Between the baselines of the first and the last text and edges.
    ticks = max(2, min(6, int(height / (3 * line))))
    for share in np.linspace(0, 1, ticks):
        text = f'{far + share * (near - far):.2f} m'
        y = round(line + share * (height - 1.5 * line))
        place = (bar_width + round(4 * scale), y)
        cv2.putText(bar, text, place, _TEXT, 0.4 * scale, (0, 0, 0), 1, cv2.LINE_AA)
    return bar


def _enlarge(image: Picture, zoom: int) -> Picture:
    size = (image.shape[1] * zoom, image.shape[0] * zoom)
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


def _blend(
    canvas: Picture, tint: Picture, opacity: float, inside: NDArray[np.bool_]
) -> None:
    """Lay colours over the pixels ``inside`` (H, W) of a picture, in place."""
    if canvas.size:
        blended = cv2.addWeighted(canvas, 1 - opacity, tint, opacity, 0)
        np.copyto(canvas, blended, where=inside[..., None])


def _scale(canvas: Picture) -> float:
    return max(1.0, max(canvas.shape[:2]) / _LARGE)


def _roomiest_place(inside: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the point (x, y) of a region that is farthest from its border."""
    room = np.pad(inside, 1).astype(np.uint8)
    distance = cv2.distanceTransform(room, cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(x), int(y)


def _put_name(
    canvas: Picture,
    name: str,
    place: tuple[int, int],
    color: Sequence[int],
    *,
    centered: bool = False,
) -> None:
    """Write a name on a ground of its colour, above a corner or around a point."""
    scale = _scale(canvas)
    font, thick, pad = 0.4 * scale, max(1, round(scale)), round(2 * scale)
    (width, height), _ = cv2.getTextSize(name, _TEXT, font, thick)
    width, height = width + 2 * pad, height + 3 * pad
    x, y = place
    if centered:
        x, y = x - width // 2, y + height // 2
    x = max(0, min(x, canvas.shape[1] - width))
    y = min(max(y, height), canvas.shape[0])
    cv2.rectangle(canvas, (x, y - height), (x + width, y), tuple(color), -1)
    # Weights of the colours' brightness as in ITU-R BT.601.
    bright = np.dot(color, (0.114, 0.587, 0.299)) > 110
    ink = (0, 0, 0) if bright else (255, 255, 255)
    at = (x + pad, y - 2 * pad)
    cv2.putText(canvas, name, at, _TEXT, font, ink, thick, cv2.LINE_AA)
