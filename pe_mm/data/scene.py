"""What a demo scene is made of: things, a room, a lamp and a camera."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .camera import Camera
from .meshes import Floats, Mesh
from .solids import SOLIDS, unit_mesh

CLASSES: tuple[str, ...] = tuple(SOLIDS)
"""Names of the things, in the order of their COCO category and ADE label, from 1."""

STUFF: tuple[str, ...] = ('floor', 'wall', 'rug')
"""Names of the surfaces; their ADE labels follow those of the things."""

FLOOR, WALL, RUG = (len(CLASSES) + 1 + k for k in range(len(STUFF)))
OTHER = 0  # ADE label of the skirting boards, which belong to no class.

PALETTE: tuple[tuple[int, int, int], ...] = (
    (230, 60, 60),
    (60, 120, 230),
    (70, 180, 75),
    (250, 170, 40),
    (155, 70, 200),
    (250, 225, 50),
    (50, 200, 200),
    (240, 60, 200),
    (150, 95, 45),
    (150, 220, 90),
    (250, 150, 180),
    (80, 80, 150),
    (196, 184, 160),
    (120, 130, 140),
    (90, 60, 70),
)
"""RGB of every class of CLASSES + STUFF, 0 to 255, for pictures of labels."""


@dataclass(frozen=True)
class Material:
    """How the surface of a thing looks.

    Args:
        color: Name of the main colour.
        second: Name of the other colour; equal to `color` for a plain thing.
        pattern: 'plain', 'striped', 'checkered', 'dotted' or 'marbled'.
        albedo: (3,) linear RGB of the main colour, 0 to 1.
        second_albedo: (3,) linear RGB of the other colour.
        frequency: Cells of the pattern along the thing's largest extent.
        direction: (3,) unit direction across the stripes, in the thing's axes.
        phase: (3,) offset of the pattern in cells.
        gloss: Strength of the highlight, 0 to 1.
        shininess: Sharpness of the highlight.
    """

    color: str
    second: str
    pattern: str
    albedo: Floats
    second_albedo: Floats
    frequency: float
    direction: Floats
    phase: Floats
    gloss: float
    shininess: float


@dataclass(frozen=True)
class Thing:
    """A solid that stands in a scene.

    Args:
        name: Its class.
        linear: (3, 3) rotation and scale from the unit mesh to the world.
        position: (3,) where the unit mesh's origin goes, in metres.
        size: Largest extent before stretching, in metres.
        material: Its look.
    """

    name: str
    linear: Floats
    position: Floats
    size: float
    material: Material

    @property
    def label(self) -> int:
        """COCO category and ADE label, from 1."""
        return CLASSES.index(self.name) + 1

    @cached_property
    def vertices(self) -> Floats:
        """(V, 3) vertices of the mesh in the world."""
        columns = self.linear @ unit_mesh(self.name).vertices.T
        return (columns + self.position[:, None]).T

    @cached_property
    def center(self) -> Floats:
        """(3,) middle of its bounds in the world."""
        columns = self.vertices.T
        return (columns.min(axis=1) + columns.max(axis=1)) / 2

    @cached_property
    def radius(self) -> float:
        """Radius around its middle that it covers on the floor, in metres."""
        x, y, _ = self.vertices.T
        return float(np.hypot(x - self.center[0], y - self.center[1]).max())

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh in the world."""
        return unit_mesh(self.name).transformed(self.linear, self.position)


@dataclass(frozen=True)
class Surface:
    """How a floor, wall or rug looks.

    Args:
        style: Name of its texture.
        albedos: (2, 3) linear RGB of its two colours.
        scale: Size of its cells in metres.
        phase: (2,) offset of its cells.
    """

    style: str
    albedos: Floats
    scale: float
    phase: Floats


@dataclass(frozen=True)
class Rug:
    """A flat rug on the floor.

    Args:
        center: (2,) middle in room axes, in metres.
        half: (2,) half extents in room axes.
        round: Whether it is an ellipse instead of a rectangle.
        surface: Its look.
    """

    center: Floats
    half: Floats
    round: bool
    surface: Surface


@dataclass(frozen=True)
class Room:
    """A floor at z = 0 and three high walls, seen from within.

    Args:
        yaw: Turn of the room around the vertical, in radians.
        back: Distance of the back wall along the room's y axis, in metres.
        left: Distance of the left wall against the room's x axis.
        right: Distance of the right wall along the room's x axis.
        skirting: Height of the skirting boards, in metres; 0 for none.
        skirting_albedo: (3,) their linear RGB.
        floor: Look of the floor.
        wall: Look of the walls.
        rug: A rug, if there is one.
    """

    yaw: float
    back: float
    left: float
    right: float
    skirting: float
    skirting_albedo: Floats
    floor: Surface
    wall: Surface
    rug: Rug | None

    @property
    def axes(self) -> Floats:
        """(2, 2) rows are the room's x and y axes in the world's floor plane."""
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([(cosine, sine), (-sine, cosine)])

    @property
    def planes(self) -> Floats:
        """(4, 4) inward normal n and offset d of floor, back, left and right.

        Points inside have n.p + d > 0.
        """
        (across, along), zero = self.axes, np.zeros(1)
        sides = (
            np.concatenate([-along, zero, [self.back]]),
            np.concatenate([across, zero, [self.left]]),
            np.concatenate([-across, zero, [self.right]]),
        )
        return np.stack([np.array([0.0, 0.0, 1.0, 0.0]), *sides])


@dataclass(frozen=True)
class Lamp:
    """A lamp that casts soft shadows, and the light of the surroundings.

    Args:
        position: (3,) in the world, in metres.
        color: (3,) linear RGB of its light; 1 is white of mean strength.
        ambient: (3,) linear RGB of the light from all around.
        blur: Softness of the shadows, in metres.
    """

    position: Floats
    color: Floats
    ambient: Floats
    blur: float


@dataclass(frozen=True)
class Scene:
    """All that a picture shows.

    Args:
        things: The solids; instance k of the labels is things[k - 1].
        room: Where they stand.
        lamp: What lights them.
        camera: Where they are seen from.
    """

    things: tuple[Thing, ...]
    room: Room
    lamp: Lamp
    camera: Camera
