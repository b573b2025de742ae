"""Pictures and exact labels of a scene, from one z-buffer each.

Labels are taken at pixel centres. A picture is shaded at twice its size, then
averaged, so its edges are smooth and the labels cut them in the middle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .lighting import Lighting, dot, transform
from .meshes import Array, Floats, Ints
from .rasteriser import nearest, rasterise
from .scene import FLOOR, OTHER, RUG, WALL, Room, Rug, Scene, Thing
from .solids import SOLIDS
from .textures import surface_albedo, thing_pattern

SAMPLES = 2  # Shaded samples per pixel along each side.


@dataclass(frozen=True)
class Labels:
    """What is seen at the centre of every pixel.

    Args:
        instances: (S, S) uint8; k is scene.things[k - 1], 0 is the room.
        semantics: (S, S) uint8 ADE labels; see `pe_mm.data.scene`.
        depth: (S, S) float32 distance along the optical axis in metres.
        alone: (things, S, S) bool; where each thing would be seen if nothing hid it.
    """

    instances: NDArray[np.uint8]
    semantics: NDArray[np.uint8]
    depth: Array
    alone: NDArray[np.bool_]

    @property
    def visible(self) -> Ints:
        """(things,) pixels that each thing shows."""
        counts = np.bincount(self.instances.ravel(), minlength=len(self.alone) + 1)
        return counts[1:]

    @property
    def whole(self) -> Ints:
        """(things,) pixels that each thing would show if nothing hid it."""
        return self.alone.sum(axis=(1, 2))


@dataclass(frozen=True)
class _Geometry:
    """Everything's triangles, corner normals and owner (the thing's index)."""

    triangles: Floats
    normals: Floats
    owner: Ints

    @classmethod
    def of(cls, scene: Scene) -> '_Geometry':
        meshes = [thing.mesh for thing in scene.things]
        return cls(
            np.concatenate([mesh.triangles for mesh in meshes]),
            np.concatenate([mesh.normals for mesh in meshes]),
            np.repeat(np.arange(len(meshes)), [len(mesh.faces) for mesh in meshes]),
        )


def render_labels(scene: Scene, size: int) -> Labels:
    """Find what is seen at every pixel's centre, and how far it is."""
    geometry = _Geometry.of(scene)
    camera, pixels = scene.camera, size * size
    fragments = rasterise(
        camera.to_camera(geometry.triangles), focal=camera.focal, size=size
    )
    alone = np.zeros((len(scene.things), pixels), dtype=bool)
    alone[geometry.owner[fragments.triangle], fragments.pixel] = True
    inverse, triangle = nearest(fragments, pixels)
    room_inverse, plane = _room_view(scene, size)
    instances = np.where(triangle >= 0, geometry.owner[triangle] + 1, 0)
    depth = 1 / np.where(instances > 0, inverse, room_inverse)
    points = _View.of(scene, np.arange(pixels), room_inverse, size).points
    of_thing = np.array([0] + [thing.label for thing in scene.things])
    semantics = np.where(
        instances > 0, of_thing[instances], _room_labels(scene.room, points, plane)
    )
    shape = (size, size)
    return Labels(
        instances.astype(np.uint8).reshape(shape),
        semantics.astype(np.uint8).reshape(shape),
        depth.reshape(shape),
        alone.reshape(-1, *shape),
    )


def render_image(
    scene: Scene, size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Take a picture, (S, S, 3) uint8 RGB; `rng` draws the sensor's noise."""
    fine = size * SAMPLES
    geometry = _Geometry.of(scene)
    camera = scene.camera
    lighting = Lighting(scene.lamp, geometry.triangles)
    local = camera.to_camera(geometry.triangles)
    inverse, triangle = nearest(
        rasterise(local, focal=camera.focal, size=fine), fine * fine
    )
    light = _room_light(scene, lighting, size) * _room_albedo(scene, triangle < 0, fine)
    seen = np.flatnonzero(triangle >= 0)
    order = seen[np.argsort(geometry.owner[triangle[seen]], kind='stable')]
    counts = np.bincount(geometry.owner[triangle[order]], minlength=len(scene.things))
    for index, pixels in enumerate(np.split(order, np.cumsum(counts)[:-1])):
        if len(pixels):
            view = _View.of(scene, pixels, inverse[pixels], fine)
            normals = _smooth_normals(geometry, triangle[pixels], view.points)
            light[:, pixels] = _shade_thing(
                scene.things[index], lighting, view, normals
            )
    channels = [
        cv2.resize(
            channel.reshape(fine, fine), (size, size), interpolation=cv2.INTER_AREA
        )
        for channel in light
    ]
    return _develop(np.dstack(channels), rng)


class _View(NamedTuple):
    """What the camera sees at some pixels.

    Args:
        points: (3, N) in the world.
        direction: (3, N) unit directions to the camera.
        footprint: (N,) extent of a pixel there in metres, were it seen head-on.
    """

    points: Array
    direction: Array
    footprint: Array

    @classmethod
    def of(cls, scene: Scene, pixels: Ints, inverse: Array, size: int) -> '_View':
        """Look through the centres of pixels at a known 1 / depth."""
        camera = scene.camera
        rays = _rays(scene, pixels, size)
        depth = 1 / inverse
        return cls(
            rays * depth + camera.position.astype(np.float32)[:, None],
            -rays / np.sqrt(dot(rays, rays)),
            depth / np.float32(size * camera.focal),
        )


def _room_view(scene: Scene, size: int) -> tuple[Array, NDArray[np.int8]]:
    """Inverse depth of the room at every pixel, and the plane seen there."""
    camera = scene.camera
    planes = scene.room.planes
    inside = planes[:, :3] @ camera.position + planes[:, 3]
    slopes = -(planes[:, :3] @ camera.rotation.T) / inside[:, None]
    steps = ((np.arange(size) + 0.5) / size - 0.5) / camera.focal
    rows = (slopes[:, 1:2] * steps + slopes[:, 2:]).astype(np.float32)
    columns = (slopes[:, :1] * steps).astype(np.float32)
    # Seen from within, the nearest wall of a convex room has the largest 1 / depth.
    inverse = np.full((size, size), 1e-3, dtype=np.float32)
    plane = np.zeros((size, size), dtype=np.int8)
    for k in range(len(planes)):
        candidate = columns[k] + rows[k][:, None]
        np.copyto(plane, k, where=candidate > inverse)
        np.maximum(inverse, candidate, out=inverse)
    return inverse.ravel(), plane.ravel()


def _by_plane(plane: NDArray[np.int8]) -> Iterator[tuple[int, Ints]]:
    """Group pixels by the plane of the room seen there; -1 is left out."""
    for k in range(plane.max() + 1):
        pixels = np.flatnonzero(plane == k)
        if len(pixels):
            yield k, pixels


def _rays(scene: Scene, pixels: Ints, size: int) -> Array:
    """World directions of depth 1 through the centres of pixels, (3, N)."""
    rows, columns = np.divmod(pixels.astype(np.int32), np.int32(size))
    scale = np.float32(1 / (size * scene.camera.focal))
    x = (columns.astype(np.float32) + np.float32(0.5 - size / 2)) * scale
    y = (rows.astype(np.float32) + np.float32(0.5 - size / 2)) * scale
    right, down, forward = scene.camera.rotation.astype(np.float32)[..., None]
    return x * right + y * down + forward


def _on_rug(room: Room, rug: Rug, points: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Coordinates (2, N) on the rug, -1 to 1, and whether points (3, N) are on it."""
    metres = transform(room.axes, points[:2])
    x, y = ((metres - rug.center[:, None]) / rug.half[:, None]).astype(np.float32)
    if rug.round:
        return np.stack([x, y]), x * x + y * y < 1
    return np.stack([x, y]), np.maximum(np.abs(x), np.abs(y)) < 1


def _room_labels(room: Room, points: Array, plane: NDArray[np.int8]) -> Ints:
    """ADE labels of points (3, N) on the planes of the room."""
    labels = np.where(plane == 0, FLOOR, WALL)
    labels[(plane > 0) & (points[2] < room.skirting)] = OTHER
    if room.rug is not None:
        labels[(plane == 0) & _on_rug(room, room.rug, points)[1]] = RUG
    return labels


def _room_light(scene: Scene, lighting: Lighting, size: int) -> Array:
    """Light on the room at every fine sample, (3, samples).

    It varies slowly, so it is found once per pixel and spread over the samples.
    """
    inverse, plane = _room_view(scene, size)
    light = np.empty((3, size * size), dtype=np.float32)
    white = np.ones((3, 1), dtype=np.float32)
    normals = scene.room.planes[:, :3].astype(np.float32)
    for k, pixels in _by_plane(plane):
        view = _View.of(scene, pixels, inverse[pixels], size)
        light[:, pixels] = lighting.shade(view.points, normals[k, :, None], white)
    fine = (size * SAMPLES, size * SAMPLES)
    spread = [cv2.resize(channel.reshape(size, size), fine) for channel in light]
    return np.stack(spread).reshape(3, -1)


def _room_albedo(scene: Scene, bare: NDArray[np.bool_], size: int) -> Array:
    """Colour of the room, (3, pixels), at the pixels where nothing hides it."""
    room = scene.room
    inverse, plane = _room_view(scene, size)
    albedo = np.zeros((3, size * size), dtype=np.float32)
    plane[~bare] = -1
    planes, origin = room.planes, scene.camera.position
    heights = planes[:, :3] @ origin + planes[:, 3]
    for k, pixels in _by_plane(plane):
        near = inverse[pixels]
        points = _rays(scene, pixels, size) / near
        points += origin.astype(np.float32)[:, None]
        # Halfway between the short and the long side of a slanted footprint; the
        # cosine of the slant is the camera's height above the plane over the depth.
        footprint = 1 / (near * np.sqrt(near * np.float32(heights[k])))
        footprint *= np.float32(1 / (size * scene.camera.focal))
        across, along = transform(room.axes, points[:2])
        if k == 0:
            colors = surface_albedo(room.floor, across, along, footprint)
            if room.rug is not None:
                (x, y), on = _on_rug(room, room.rug, points)
                width = footprint[on] / np.float32(room.rug.half.min())
                colors[:, on] = surface_albedo(room.rug.surface, x[on], y[on], width)
        else:
            sideways = across if k == 1 else along
            colors = surface_albedo(room.wall, sideways, points[2], footprint)
            colors[:, points[2] < room.skirting] = room.skirting_albedo[:, None]
        for channel, values in zip(albedo, colors, strict=True):
            channel[pixels] = values
    return albedo


def _shade_thing(
    thing: Thing, lighting: Lighting, view: _View, normals: Array
) -> Array:
    """Return the light (3, N) of one thing where it is seen."""
    material = thing.material
    albedo = material.albedo.astype(np.float32)[:, None]
    if material.pattern != 'plain':
        inward = np.linalg.inv(thing.linear)
        slant = np.maximum(dot(view.direction, normals), 0.1)
        share = thing_pattern(
            material,
            transform(inward, view.points - thing.position.astype(np.float32)[:, None]),
            transform(thing.linear.T, normals),
            view.footprint / np.float32(thing.size) / np.sqrt(slant),
            wrap=SOLIDS[thing.name].round,
        )
        second = material.second_albedo.astype(np.float32)[:, None]
        albedo = albedo + (second - albedo) * share
    return lighting.shade(
        view.points,
        normals,
        albedo,
        view.direction,
        gloss=material.gloss,
        shininess=material.shininess,
    )


def _smooth_normals(geometry: _Geometry, triangle: Ints, points: Array) -> Array:
    """Interpolate the corner normals of triangles (N,) at points (3, N) on them."""
    low, high = triangle.min(), triangle.max() + 1
    corners, normals = geometry.triangles[low:high], geometry.normals[low:high]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    face = np.cross(a, b)
    face /= (face * face).sum(axis=1, keepdims=True)
    # The weights of corners 1 and 2 are linear in the point, so the normal is a matrix
    # times the point plus a constant, both fixed per triangle.
    weights = np.stack([np.cross(b, face), np.cross(face, a)], axis=1)
    change = np.stack([normals[:, 1] - normals[:, 0], normals[:, 2] - normals[:, 0]], 2)
    matrix = change @ weights
    constant = normals[:, 0] - np.einsum('tij,tj->ti', matrix, corners[:, 0])
    table = np.concatenate([matrix, constant[..., None]], axis=2).astype(np.float32)
    rows = np.ascontiguousarray(table[triangle - low].transpose(1, 2, 0))
    smooth = np.stack([dot(row, points) + row[3] for row in rows])
    smooth /= np.sqrt(dot(smooth, smooth))
    return smooth


@cache
def _grain(size: int) -> Array:
    """Draw the noise of a sensor once, in grey levels; pictures take parts of it."""
    rng = np.random.default_rng(size)
    return 1.6 * rng.standard_normal(6 * size * size, dtype=np.float32)


def _develop(light: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn linear light (S, S, 3) into an sRGB picture as a camera would."""
    size = len(light)
    exposure = 0.27 / max(float(light.mean()), 1e-3)
    radius = ((np.arange(size) + 0.5) / size - 0.5) ** 2
    vignette = 1 - 0.35 * (radius[None] + radius[:, None])
    exposed = light * (exposure * vignette).astype(np.float32)[..., None]
    # A soft shoulder keeps colour in highlights instead of clipping them.
    toned = exposed * (1 + exposed / 4) / (1 + exposed)
    toned = np.clip(toned, 0, 1) ** np.float32(1 / 2.2)
    toned += 0.5 * toned * (1 - toned) * (2 * toned - 1)  # More contrast.
    grain = _grain(size)
    start = rng.integers(len(grain) - toned.size)
    noisy = toned * 255 + grain[start : start + toned.size].reshape(toned.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
