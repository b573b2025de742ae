"""The classes of the demo scenes: solids told apart by shape alone.

Every solid rests on z = 0, is centred on the z axis, and its largest extent is 1.
Its most telling side looks along -y.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from .meshes import (
    Floats,
    Mesh,
    box,
    extrude,
    extrude_band,
    join,
    lathe,
    tube,
)


@dataclass(frozen=True)
class Solid:
    """A class of solids, and how it may lie in a scene.

    Args:
        build: Makes the mesh, in any position and size.
        tilts: Angles around the x axis, in degrees, at which it rests on the floor.
        facing: How far its front may turn away from the camera, in degrees.
        stretch: Largest relative change of the height.
        round: Whether textures wrap around the z axis (or lie on its flat sides).
        plural: Its name for several of them.
    """

    build: Callable[[], Mesh]
    plural: str
    tilts: tuple[float, ...] = (0.0,)
    facing: float = 180.0
    stretch: float = 0.0
    round: bool = False


def _ball() -> Mesh:
    angles = np.linspace(-np.pi / 2, np.pi / 2, 25)
    profile = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    profile[[0, -1], 0] = 0
    return lathe(profile, segments=48)


def _cube() -> Mesh:
    return box((-1, -1, -1), (1, 1, 1))


def _cylinder() -> Mesh:
    return lathe([(0, 0), (0.38, 0), (0.38, 1), (0, 1)], segments=48)


def _cone() -> Mesh:
    return lathe([(0, 0), (0.43, 0), (0, 1)], segments=48)


def _ring() -> Mesh:
    return tube(_arc(0, 2 * np.pi, 0.36, 48)[:-1], 0.13, closed=True)


def _star() -> Mesh:
    angles = np.pi / 2 + np.arange(10) * np.pi / 5
    radius = np.where(np.arange(10) % 2, 0.23, 0.52)
    outline = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)
    return extrude(outline, -0.11, 0.11)


def _cross() -> Mesh:
    a, b = 0.17, 0.5
    quarter = np.array([(a, a), (a, b), (-a, b)])
    turn = np.array([(0.0, 1.0), (-1.0, 0.0)])
    outline = np.concatenate(
        [quarter @ np.linalg.matrix_power(turn, k) for k in range(4)]
    )
    return extrude(outline, -0.16, 0.16)


def _stairs() -> Mesh:
    steps = 4
    return join(
        *(
            box((k / steps, -0.32, 0), ((k + 1) / steps, 0.32, (k + 1) * 0.8 / steps))
            for k in range(steps)
        )
    )


def _arch() -> Mesh:
    outer = np.vstack([(-0.5, 0), _arc(np.pi, 0, 0.5, 21) + (0, 0.42), (0.5, 0)])
    inner = np.vstack([(-0.27, 0), _arc(np.pi, 0, 0.27, 21) + (0, 0.42), (0.27, 0)])
    return extrude_band(outer, inner, -0.17, 0.17)


def _mug() -> Mesh:
    cup = lathe(
        [(0, 0), (0.33, 0), (0.36, 0.8), (0.30, 0.8), (0.28, 0.08), (0, 0.08)],
        segments=48,
    )
    handle = _arc(np.pi / 2, -np.pi / 2, 0.27, 17) * (1.05, 1) + (0.325, 0.41)
    return join(cup, tube(handle, 0.065, closed=False, segments=14))


def _table() -> Mesh:
    legs = [
        box((x - 0.05, y - 0.05, 0), (x + 0.05, y + 0.05, 0.62))
        for x in (-0.42, 0.42)
        for y in (-0.30, 0.30)
    ]
    return join(box((-0.5, -0.38, 0.62), (0.5, 0.38, 0.72)), *legs)


def _dumbbell() -> Mesh:
    angles = np.linspace(-np.pi / 2, 0.32 * np.pi, 19)
    end = np.stack([0.25 * np.cos(angles), 0.25 * np.sin(angles) + 0.25], axis=1)
    end[0, 0] = 0
    bar = np.array([(0.085, end[-1, 1] + 0.03)])
    half = np.vstack([end, bar])
    other = half[::-1] * (1, -1) + (0, 1.24)
    upright = lathe(np.vstack([half, other]), segments=40)
    return upright.transformed([(0, 0, 1), (0, 1, 0), (-1, 0, 0)])


def _arc(start: float, stop: float, radius: float, count: int) -> Floats:
    angles = np.linspace(start, stop, count)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


SOLIDS: dict[str, Solid] = {
    'ball': Solid(_ball, 'balls', round=True),
    'cube': Solid(_cube, 'cubes'),
    'cylinder': Solid(
        _cylinder, 'cylinders', (0, 90), facing=60, stretch=0.2, round=True
    ),
    'cone': Solid(_cone, 'cones', stretch=0.2, round=True),
    'ring': Solid(_ring, 'rings', (0, 90), facing=50),
    'star': Solid(_star, 'stars', facing=50),
    'cross': Solid(_cross, 'crosses', facing=50),
    'stairs': Solid(_stairs, 'stairs', facing=60, stretch=0.1),
    'arch': Solid(_arch, 'arches', facing=50, stretch=0.1),
    'mug': Solid(_mug, 'mugs', facing=55, stretch=0.1, round=True),
    'table': Solid(_table, 'tables', stretch=0.15),
    'dumbbell': Solid(_dumbbell, 'dumbbells', facing=55),
}


@cache
def unit_mesh(name: str) -> Mesh:
    """Return the mesh of a class, standing on z = 0, its largest extent 1."""
    mesh = SOLIDS[name].build()
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    scale = 1 / (high - low).max()
    middle = np.array([*(low + high)[:2] / 2, low[2]])
    return mesh.transformed(np.eye(3) * scale, -scale * middle)
