"""Procedural textures, each filtered to the footprint of a pixel.

A pattern returns, for every point, the share of the second colour, 0 to 1.
"""

from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np

from .meshes import Array
from .scene import Material, Surface

NOISE_SIZE = 512  # Side of the noise tile in texels.
ROW = 1024  # Points per row handed to cv2.remap, whose pictures are at most 32767 high.


def sample(
    image: Array, x: Array, y: Array, *, outside: Sequence[float] | None = None
) -> Array:
    """Read an image between its texels, bilinear.

    Args:
        image: (H, W) or (H, W, C).
        x: (N,) columns; 0 is the centre of the first texel.
        y: (N,) rows.
        outside: Values beyond the image; None repeats the image.
    """
    maps = np.zeros((2, len(x) // ROW + 1, ROW), dtype=np.float32)
    for values, filled in zip((x, y), maps, strict=True):
        filled.ravel()[: len(x)] = values
    values = cv2.remap(
        image,
        maps[0],
        maps[1],
        interpolation=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP if outside is None else cv2.BORDER_CONSTANT,
        borderValue=outside or (),
    )
    flat = values.reshape(-1, *image.shape[2:])
    return flat[: len(x)]


@cache
def noise_tile() -> Array:
    """Make a cloudy noise that repeats seamlessly; mean 0, deviation 1."""
    rng = np.random.default_rng(20)
    spectrum = np.fft.rfft2(rng.standard_normal((NOISE_SIZE, NOISE_SIZE)))
    rows = np.fft.fftfreq(NOISE_SIZE)[:, None]
    columns = np.fft.rfftfreq(NOISE_SIZE)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    tile = np.fft.irfft2(spectrum / frequency**1.2, s=(NOISE_SIZE, NOISE_SIZE))
    return ((tile - tile.mean()) / tile.std()).astype(np.float32)


def noise(x: Array, y: Array, period: float) -> Array:
    """Cloudy noise at (N,) points, repeating after `period` units."""
    u, v = (values * np.float32(1 / period) for values in (x, y))
    size = np.float32(NOISE_SIZE)
    u, v = (u - np.floor(u)) * size, (v - np.floor(v)) * size
    return sample(noise_tile(), u, v)


def band(cells: Array, width: Array, share: float = 0.5) -> Array:
    """A filtered square wave of period 1, high around whole numbers.

    Args:
        cells: (N,) positions in periods.
        width: (N,) footprint of a pixel in periods.
        share: Part of the period that is high.
    """
    distance = np.abs(cells - np.rint(cells))
    return np.clip(0.5 + (np.float32(share / 2) - distance) / width, 0, 1)


def dots(u: Array, v: Array, width: Array, radius: float = 0.3) -> Array:
    """Filtered discs around whole numbers."""
    distance = np.hypot(u - np.rint(u), v - np.rint(v))
    return np.clip(0.5 + (np.float32(radius) - distance) / width, 0, 1)


def checks(u: Array, v: Array, width: Array) -> Array:
    """A filtered chessboard of fields half a unit wide."""
    return 0.5 + 2 * (band(u, width) - 0.5) * (band(v, width) - 0.5)


def thing_pattern(
    material: Material, points: Array, normals: Array, footprint: Array, *, wrap: bool
) -> Array:
    """Texture a thing.

    Args:
        material: Its look.
        points: (3, N) in the axes of the unit mesh.
        normals: (3, N) directions there, of any length.
        footprint: (N,) extent of a pixel on the surface, in extents of the thing.
        wrap: Whether the texture goes around the z axis.
    """
    width = np.maximum(footprint * np.float32(material.frequency), 1e-4)
    phase = material.phase.astype(np.float32)
    if material.pattern == 'striped':
        across = material.direction.astype(np.float32) @ points
        return band(across * np.float32(material.frequency) + phase[0], width, 0.42)
    if material.pattern == 'marbled':
        x, y, z = points * np.float32(0.6 * material.frequency) + phase[:, None]
        bend = np.sin(2.3 * y + 1.7 * np.sin(z)) + np.sin(2.3 * z + 1.7 * np.sin(x))
        veins = np.sin(np.float32(2.1) * (x + y + z + bend))
        return np.float32(0.75) * np.exp(-3 * np.abs(veins) / (1 + width))
    u, v = _unfold(points, normals, material.frequency, wrap=wrap)
    u, v = u + phase[0], v + phase[1]
    if material.pattern == 'checkered':
        return checks(u / 2, v / 2, width / 2)
    return dots(u, v, width)


def _unfold(
    points: Array, normals: Array, frequency: float, *, wrap: bool
) -> tuple[Array, Array]:
    """Lay a texture on a solid: around it, or from the six sides of a box."""
    x, y, z = points * np.float32(frequency)
    size = np.abs(normals)
    if wrap:
        # An even number of cells, so that a chessboard closes on itself.
        cells = 2 * max(2, round(frequency * 1.2))
        angle = np.arctan2(points[1], points[0])
        flat = size[2] > 1.6 * np.hypot(normals[0], normals[1])
        u = np.where(flat, x, angle * np.float32(cells / (2 * np.pi)))
        return u, np.where(flat, y, z)
    side = size.argmax(axis=0)
    return np.where(side == 0, y, x), np.where(side == 2, y, z)


def surface_albedo(surface: Surface, x: Array, y: Array, footprint: Array) -> Array:
    """Colour a floor, wall or rug.

    Args:
        surface: Its look.
        x: (N,) metres along it.
        y: (N,) metres along it, the height on a wall.
        footprint: (N,) extent of a pixel on it in metres.

    Returns:
        (3, N) linear RGB.
    """
    share, shade = SURFACES[surface.style](
        x / np.float32(surface.scale) + np.float32(surface.phase[0]),
        y / np.float32(surface.scale) + np.float32(surface.phase[1]),
        np.maximum(footprint / np.float32(surface.scale), 1e-4),
    )
    first, second = surface.albedos.astype(np.float32)
    return (first[:, None] + (second - first)[:, None] * share) * shade


def _plain(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    return np.zeros_like(u), 1 + 0.03 * noise(u, v, 4.0)


def _concrete(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    cloud = 0.10 * noise(u, v, 5.0) + 0.05 * noise(v, u, 0.7)
    return np.clip(0.3 + 2 * cloud, 0, 1), 1 + cloud


def _carpet(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    tufts = 0.12 * noise(u, v, 0.45) / (1 + 4 * width)
    return np.clip(0.4 + 0.3 * noise(u, v, 3.1), 0, 1), 1 + tufts


def _wood(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    """Planks along v, each of its own shade, with grain and dark joints."""
    plank = np.floor(u)
    along = v / 7 + _hash(plank)
    board = plank + 57 * np.floor(along)
    grain = noise(u * 1.5 + board * 0.37, v * 0.12 + board * 0.61, 4.0)
    joint = np.maximum(band(u, width, 0.04), band(along, width / 7, 0.01))
    share = np.clip(0.15 + 0.7 * _hash(board) + 0.12 * grain, 0, 1)
    return share, (1 + 0.06 * grain) * (1 - 0.55 * joint)


def _tiles(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    grout = np.maximum(band(u, width, 0.05), band(v, width, 0.05))
    return checks(u / 2 + 0.25, v / 2 + 0.25, width / 2), 1 - 0.35 * grout


def _stripes(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    return band(u, width), 1 + 0.02 * noise(u, v, 9.0)


def _spots(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    row = np.floor(v + 0.5)
    return dots(u + _half_if_odd(row), v, width, 0.2), np.ones_like(u)


def _bricks(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    """Bricks two units long and one high; the second colour is the mortar."""
    row = np.floor(v)
    shifted = u / 2 + _half_if_odd(row)
    mortar = np.maximum(band(v, width, 0.12), band(shifted, width / 2, 0.06))
    tone = _hash(row * 31 + np.floor(shifted))
    return mortar, 0.86 + 0.28 * tone * (1 - mortar) + 0.04 * noise(u, v, 3.0)


def _frame(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    """Nested bands around the middle of a rug that spans -1 to 1."""
    edge = np.maximum(np.abs(u), np.abs(v))
    return band(3 * edge, 3 * width, 0.4), 1 + 0.05 * noise(u, v, 0.4)


def _rings(u: Array, v: Array, width: Array) -> tuple[Array, Array]:
    """Rings around the middle of a round rug of radius 1."""
    return band(3 * np.hypot(u, v), 3 * width, 0.4), 1 + 0.05 * noise(u, v, 0.4)


def _half_if_odd(cells: Array) -> Array:
    """0 for even whole numbers, 0.5 for odd ones."""
    half = 0.5 * cells
    return half - np.floor(half)


def _hash(cells: Array) -> Array:
    """A number in [0, 1) for every whole number."""
    bits = cells.astype(np.int64).astype(np.uint32) * np.uint32(2654435761)
    bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(2246822519)
    return (bits >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


SURFACES: dict[str, Callable[[Array, Array, Array], tuple[Array, Array]]] = {
    'plain': _plain,
    'concrete': _concrete,
    'carpeted': _carpet,
    'wooden': _wood,
    'tiled': _tiles,
    'striped': _stripes,
    'dotted': _spots,
    'brick': _bricks,
    'framed': _frame,
    'ringed': _rings,
}
