"""Short clips: a scene in which the camera or the things move."""

from dataclasses import replace
from typing import Any

import numpy as np

from .camera import Camera
from .captions import describe_thing, list_caption
from .meshes import Floats
from .sampler import is_clear, sample_scene
from .scene import Room, Scene, Thing

CLEARANCE = 0.4  # Metres that the camera keeps from the walls.


def sample_clip(
    rng: np.random.Generator, size: int, frames: int, clutter: float = 1.0
) -> tuple[list[Scene], list[str]]:
    """Draw a scene and move it.

    Every thing is seen well in the first frame, and keeps its place in
    `scene.things`, and so its instance id, in all the others.

    Args:
        rng: Source of all randomness.
        size: Width of the frames.
        frames: Number of frames.
        clutter: As in `sample_scene`.

    Returns:
        One scene per frame, and true sentences about the clip.
    """
    scene, _ = sample_scene(rng, size, clutter)
    captions = [list_caption(scene)]
    times = np.linspace(0, 1, frames)
    # Start and stop gently.
    eased = times * times * (3 - 2 * times)
    angle = np.deg2rad(rng.uniform(8, 32)) * rng.choice([-1, 1])
    if rng.random() < 0.3:
        angle = 0.0
    cameras = [_orbit(scene.camera, angle * t) for t in eased]
    if all(_inside(scene.room, camera) for camera in cameras) and angle != 0:
        side = 'right' if angle > 0 else 'left'
        captions.append(f'The camera moves around the scene to the {side}.')
    else:
        cameras = [scene.camera] * frames
        captions.append('The camera stands still.')
    paths: list[list[Thing]] = [[thing] * frames for thing in scene.things]
    for index in rng.permutation(len(paths)):
        moved = _sample_path(rng, scene.things[index], eased)
        others = [path for k, path in enumerate(paths) if k != index]
        if rng.random() < 0.7 and all(
            is_clear(
                thing, [path[frame] for path in others], scene.room, cameras[frame]
            )
            for frame, thing in enumerate(moved)
        ):
            paths[index] = moved
            verb = 'rolls' if scene.things[index].name == 'ball' else 'slides'
            captions.append(f'{_capital(describe_thing(scene.things[index]))} {verb}.')
    clip = [
        replace(scene, camera=camera, things=tuple(path[frame] for path in paths))
        for frame, camera in enumerate(cameras)
    ]
    return clip, captions


def describe_clip(clip: list[Scene], captions: list[str]) -> dict[str, Any]:
    """List a clip's things by instance id, from 1, and its captions."""
    return {
        'objects': [
            {'id': k, 'category': thing.name, 'description': describe_thing(thing)}
            for k, thing in enumerate(clip[0].things, start=1)
        ],
        'captions': captions,
    }


def _orbit(camera: Camera, angle: float) -> Camera:
    """Carry a camera around the vertical through the scene's middle."""
    turn = _around_vertical(angle)
    return Camera(turn @ camera.position, camera.rotation @ turn.T, camera.focal)


def _inside(room: Room, camera: Camera) -> bool:
    planes = room.planes
    return bool((planes[:, :3] @ camera.position + planes[:, 3] > CLEARANCE).all())


def _sample_path(rng: np.random.Generator, thing: Thing, eased: Floats) -> list[Thing]:
    """Move a thing along a line: a ball rolls, the others slide and turn."""
    heading = rng.uniform(0, 2 * np.pi)
    distance = rng.uniform(0.4, 1.6)
    spin = rng.uniform(-1.2, 1.2)
    way = distance * np.array([np.cos(heading), np.sin(heading), 0.0])
    axis = np.array([-np.sin(heading), np.cos(heading), 0.0])
    center = thing.center
    path = []
    for t in eased:
        if thing.name == 'ball':
            turn = _around(axis, t * distance / center[2])
        else:
            turn = _around_vertical(spin * t)
        path.append(
            replace(
                thing,
                linear=turn @ thing.linear,
                position=center + t * way + turn @ (thing.position - center),
            )
        )
    return path


def _around_vertical(angle: float) -> Floats:
    return _around(np.array([0.0, 0.0, 1.0]), angle)


def _around(axis: Floats, angle: float) -> Floats:
    """Rotation matrix about a unit axis."""
    x, y, z = axis
    cross = np.array([(0, -z, y), (z, 0, -x), (-y, x, 0)])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
