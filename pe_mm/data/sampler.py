"""Random scenes: what stands where, lit and seen from where."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .camera import Camera
from .meshes import Floats
from .renderer import Labels, render_labels
from .scene import (
    CLASSES,
    Lamp,
    Material,
    Room,
    Rug,
    Scene,
    Surface,
    Thing,
)
from .solids import SOLIDS

COLORS: dict[str, tuple[float, float, float]] = {
    'red': (0.82, 0.10, 0.11),
    'orange': (0.95, 0.45, 0.06),
    'yellow': (0.96, 0.82, 0.12),
    'green': (0.16, 0.58, 0.20),
    'turquoise': (0.12, 0.70, 0.68),
    'blue': (0.10, 0.28, 0.82),
    'purple': (0.46, 0.16, 0.68),
    'pink': (0.96, 0.48, 0.68),
    'brown': (0.40, 0.23, 0.12),
    'white': (0.93, 0.93, 0.91),
    'gray': (0.48, 0.48, 0.50),
    'black': (0.09, 0.09, 0.10),
}
"""sRGB of the named colours of things, 0 to 1."""

PATTERNS = ('plain', 'striped', 'checkered', 'dotted', 'marbled')
PATTERN_CHANCES = (0.36, 0.2, 0.16, 0.14, 0.14)

MIN_PIXELS = 0.0015  # A labelled thing shows at least this part of the picture ...
MIN_VISIBLE = 0.3  # ... and at least this part of what it would show unhidden.

MAX_OVERLAP = 0.5  # Part of the smaller of two boxes that the larger may cover.
MARGIN = 0.05  # Metres between things and walls.
NEAREST = 0.8  # Metres between the camera and anything.

SIZES = (0.14, 0.44)  # Extents of things in picture widths ...
QUIET_SIZES = (0.22, 0.5)  # ... and without clutter.
METRES = (0.3, 1.9)
COUNTS = (2, 7)
FLOORS = ('wooden', 'tiled', 'carpeted', 'concrete')
WALLS = ('plain', 'striped', 'dotted', 'brick', 'plain')
QUIET_FLOORS = ('carpeted', 'concrete')
QUIET_WALLS = ('plain',)


def sample_scene(
    rng: np.random.Generator, size: int, clutter: float = 1.0
) -> tuple[Scene, Labels]:
    """Draw a scene in which every thing is seen well enough to be labelled.

    Args:
        rng: Source of all randomness.
        size: Width of the picture that decides what is seen well enough.
        clutter: 0 for plain, larger things that face the camera in quiet rooms, 1 for
            patterns everywhere; in between, a mixture.

    Returns:
        The scene and its labels at that size.
    """
    while True:
        camera = _sample_camera(rng)
        room = _sample_room(rng, camera, clutter)
        lamp = _sample_lamp(rng)
        things = _place_things(rng, camera, room, clutter)
        if not things:
            continue
        scene = Scene(tuple(things), room, lamp, camera)
        labels = render_labels(scene, size)
        kept = well_seen(labels)
        if len(kept) == len(things):
            return scene, labels
        if len(kept) >= COUNTS[0]:
            # What is left hides less, so it is seen at least as well as before.
            scene = replace(scene, things=tuple(things[k] for k in kept))
            return scene, render_labels(scene, size)


def well_seen(labels: Labels) -> Sequence[int]:
    """List the things (by index) that show enough of themselves to be labelled."""
    visible = labels.visible
    enough = visible >= max(MIN_PIXELS * labels.instances.size, 12)
    return np.flatnonzero(enough & (visible >= MIN_VISIBLE * labels.whole)).tolist()


def _sample_camera(rng: np.random.Generator) -> Camera:
    pitch = np.deg2rad(rng.uniform(14, 42))
    distance = rng.uniform(4.2, 6.2)
    target = np.array([0.0, 0.0, rng.uniform(0.1, 0.5)])
    offset = distance * np.array([0.0, -np.cos(pitch), np.sin(pitch)])
    return Camera.look_at(
        target + offset,
        target,
        focal=rng.uniform(1.15, 1.7),
        roll=np.deg2rad(rng.normal(scale=1.5)),
    )


def _sample_room(rng: np.random.Generator, camera: Camera, clutter: float) -> Room:
    yaw = np.deg2rad(rng.uniform(-40, 40))
    # The camera stays well inside, also when it moves around in a clip.
    x = float(np.array([np.cos(yaw), np.sin(yaw)]) @ camera.position[:2])
    skirting = rng.choice([0.0, 0.1, 0.16])
    shade = rng.uniform(0.1, 0.85)
    rug = None
    if rng.random() < 0.35 * clutter:
        is_round = bool(rng.random() < 0.4)
        styles = ('ringed' if is_round else 'framed', 'carpeted')
        rug = Rug(
            center=rng.uniform(-0.5, 0.5, size=2),
            half=rng.uniform(1.0, 2.2, size=2),
            round=is_round,
            surface=_sample_surface(rng, rng.choice(styles, p=(0.7, 0.3)), clutter),
        )
    return Room(
        yaw=yaw,
        back=rng.uniform(1.6, 4.5),
        left=max(rng.uniform(1.8, 4.5), 1.5 - x),
        right=max(rng.uniform(1.8, 4.5), 1.5 + x),
        skirting=float(skirting),
        skirting_albedo=np.full(3, shade, dtype=np.float32),
        floor=_sample_surface(
            rng, _choose(rng, FLOORS, QUIET_FLOORS, clutter), clutter
        ),
        wall=_sample_surface(rng, _choose(rng, WALLS, QUIET_WALLS, clutter), clutter),
        rug=rug,
    )


def _choose(
    rng: np.random.Generator, loud: Sequence[str], quiet: Sequence[str], clutter: float
) -> str:
    return str(rng.choice(loud if rng.random() < clutter else quiet))


def _sample_surface(rng: np.random.Generator, style: str, clutter: float) -> Surface:
    """Colour a surface quietly, so that things stand out from it."""
    hue, saturation = rng.random(), rng.uniform(0.05, 0.4)
    value = rng.uniform(0.35, 0.85)
    contrast = rng.uniform(0.55, 0.85)
    scale = {
        'wooden': rng.uniform(0.18, 0.35),
        'tiled': rng.uniform(0.35, 0.8),
        'striped': rng.uniform(0.3, 0.8),
        'dotted': rng.uniform(0.3, 0.6),
        'brick': rng.uniform(0.14, 0.22),
    }.get(style, 1.0)
    if style == 'wooden':
        hue, saturation = rng.uniform(0.05, 0.1), rng.uniform(0.3, 0.6)
    if style == 'brick':
        hue, saturation = rng.uniform(0.0, 0.08), rng.uniform(0.2, 0.55)
    if style in ('tiled', 'framed', 'ringed'):
        contrast = rng.uniform(0.3, 0.8)
    first = _hsv(hue, saturation, value)
    second = _hsv(hue + rng.normal(scale=0.04), 0.8 * saturation, value * contrast)
    if style == 'brick':
        second = _hsv(hue, 0.1, rng.uniform(0.5, 0.9))
    second = first + (0.15 + 0.85 * clutter) * (second - first)
    phase = np.zeros(2) if style in ('framed', 'ringed') else rng.uniform(0, 9, size=2)
    return Surface(style, np.stack([first, second]) ** 2.2, scale, phase)


def _sample_lamp(rng: np.random.Generator) -> Lamp:
    azimuth = np.deg2rad(rng.choice([-1, 1]) * rng.uniform(15, 95))
    height = np.deg2rad(rng.uniform(32, 62))
    distance = rng.uniform(6.5, 9)
    direction = np.array(
        [
            np.sin(azimuth) * np.cos(height),
            -np.cos(azimuth) * np.cos(height),
            np.sin(height),
        ]
    )
    warmth = rng.uniform(-0.12, 0.16)
    color = np.array([1 + warmth, 1.0, 1 - warmth])
    fill = rng.uniform(0.16, 0.36)
    return Lamp(
        position=distance * direction,
        color=color,
        ambient=fill * (1 + 0.6 * (1 - color)),
        blur=rng.uniform(0.012, 0.05),
    )


def _place_things(
    rng: np.random.Generator, camera: Camera, room: Room, clutter: float
) -> list[Thing]:
    """Stand things on the floor without touching each other or a wall."""
    wanted = int(rng.integers(COUNTS[0], COUNTS[1] + 1))
    materials = [sample_material(rng, clutter) for _ in range(wanted)]
    things: list[Thing] = []
    boxes: list[Floats] = []
    for _ in range(40):
        if len(things) == wanted:
            break
        thing = _sample_thing(rng, camera, materials[len(things)], clutter)
        if thing is None or not is_clear(thing, things, room, camera):
            continue
        box = _picture_box(thing, camera)
        if all(_overlap(box, other) < MAX_OVERLAP for other in boxes):
            things.append(thing)
            boxes.append(box)
    return things


def _sample_thing(
    rng: np.random.Generator, camera: Camera, material: Material, clutter: float
) -> Thing | None:
    """Draw a thing whose foot is at a random pixel; none if that sees no floor."""
    name = CLASSES[rng.integers(len(CLASSES))]
    x, y = rng.uniform(0.1, 0.9), rng.uniform(0.25, 0.95)
    low, high = (
        quiet + clutter * (loud - quiet)
        for quiet, loud in zip(QUIET_SIZES, SIZES, strict=True)
    )
    extent = low * (high / low) ** rng.random()
    pose = sample_pose(rng, name, clutter)
    ray = camera.ray(x, y, 1)
    if ray[2] > -0.02:
        return None
    depth = -camera.position[2] / ray[2]
    size = float(extent * depth / camera.focal)
    if not METRES[0] <= size <= METRES[1]:
        return None
    spot = camera.position + depth * ray
    right, away = camera.position[:2] - spot[:2]
    return stand(name, pose, np.arctan2(away, right), spot, size, material)


def sample_pose(rng: np.random.Generator, name: str, clutter: float = 1.0) -> Floats:
    """Draw how a thing lies, (3, 3): stretched, tilted, then turned.

    Turned by 0 its front looks along -y, which `stand` points to the camera.
    """
    solid = SOLIDS[name]
    stretch = 1 + rng.uniform(-solid.stretch, solid.stretch)
    tilt = np.deg2rad(rng.choice(solid.tilts))
    facing = solid.facing * (0.5 + 0.5 * clutter)
    turn = np.deg2rad(rng.uniform(-facing, facing))
    turn += np.pi * rng.integers(2)
    lay = np.array(
        [
            (1, 0, 0),
            (0, np.cos(tilt), -np.sin(tilt)),
            (0, np.sin(tilt), np.cos(tilt)),
        ]
    )
    return _turned(turn) @ lay @ np.diag([1, 1, stretch])


def stand(
    name: str,
    pose: Floats,
    toward: float,
    spot: Floats,
    size: float,
    material: Material,
) -> Thing:
    """Set a thing down on a spot of the floor.

    Args:
        name: Its class.
        pose: (3, 3) how it lies.
        toward: Direction that its front looks to, as an angle from the x axis.
        spot: (2,) or (3,) where its middle goes.
        size: Largest extent in metres.
        material: Its look.
    """
    linear = size * _turned(toward + np.pi / 2) @ pose
    lifted = Thing(name, linear, np.zeros(3), size, material)
    lowest = lifted.vertices[:, 2].min()
    position = np.array([spot[0], spot[1], 0]) - (*lifted.center[:2], lowest)
    return replace(lifted, position=position)


def _turned(angle: float) -> Floats:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([(cosine, -sine, 0), (sine, cosine, 0), (0, 0, 1)])


def is_clear(thing: Thing, others: Sequence[Thing], room: Room, camera: Camera) -> bool:
    """Whether a thing touches no other thing and no wall, nor nears the camera."""
    planes = room.planes[1:]
    spot = thing.center[:2]
    if (planes[:, :2] @ spot + planes[:, 3] < thing.radius + MARGIN).any():
        return False
    if camera.to_camera(thing.center)[2] - thing.size < NEAREST:
        return False
    return all(
        np.hypot(*(spot - other.center[:2])) > 0.95 * (thing.radius + other.radius)
        for other in others
    )


def _picture_box(thing: Thing, camera: Camera) -> Floats:
    """(2, 2) lowest and highest x and y in the picture, in picture widths."""
    columns = np.ascontiguousarray(camera.project(thing.vertices, 1)[:, :2].T)
    return np.stack([columns.min(axis=1), columns.max(axis=1)])


def _overlap(a: Floats, b: Floats) -> float:
    """Part of the smaller of two boxes that the other covers."""
    shared = np.clip(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0, None)
    return float(np.prod(shared) / min(np.prod(a[1] - a[0]), np.prod(b[1] - b[0])))


def sample_material(rng: np.random.Generator, clutter: float = 1.0) -> Material:
    """Draw a look; it does not depend on the class of the thing."""
    color, second = (str(name) for name in rng.choice(list(COLORS), 2, replace=False))
    pattern = str(rng.choice(PATTERNS, p=PATTERN_CHANCES))
    if rng.random() >= clutter:
        pattern = 'plain'
    if pattern == 'plain':
        second = color
    albedos = [
        np.clip(np.array(COLORS[name]) + rng.normal(scale=0.025, size=3), 0.02, 0.97)
        ** 2.2
        for name in (color, second)
    ]
    direction = rng.normal(size=3)
    return Material(
        color=color,
        second=second,
        pattern=pattern,
        albedo=albedos[0],
        second_albedo=albedos[1],
        frequency=float(rng.uniform(4, 8)),
        direction=direction / np.linalg.norm(direction),
        phase=rng.uniform(0, 1, size=3),
        gloss=float(rng.choice([0.0, 0.15, 0.45])),
        shininess=float(rng.uniform(20, 90)),
    )


def _hsv(hue: float, saturation: float, value: float) -> Floats:
    sector = np.mod(hue * 6 + np.array([0.0, 4.0, 2.0]), 6)
    return value * (1 - saturation * np.clip(1 - np.abs(sector - 3) + 1, 0, 1))
