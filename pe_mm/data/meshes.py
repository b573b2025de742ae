"""Triangle meshes with creased normals, and the four ways to build one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Array = NDArray[Any]  # Single precision, one column or value per visible point.

# Faces that meet at a flatter angle than this are shaded as one round surface.
CREASE_COSINE = float(np.cos(np.deg2rad(50)))


@dataclass(frozen=True)
class Mesh:
    """A closed triangle mesh whose faces turn counter-clockwise to the outside.

    Args:
        vertices: (V, 3) positions.
        faces: (T, 3) vertex ids.
        normals: (T, 3, 3) outward unit normal of every corner of every face.
    """

    vertices: Floats
    faces: Ints
    normals: Floats

    @property
    def triangles(self) -> Floats:
        """Corner positions, (T, 3, 3)."""
        return self.vertices[self.faces]

    def transformed(self, linear: ArrayLike, offset: ArrayLike = (0, 0, 0)) -> 'Mesh':
        """Map the mesh by `linear @ p + offset`; `linear` must not mirror."""
        matrix = np.asarray(linear, dtype=float)
        normals = self.normals @ np.linalg.inv(matrix)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        return Mesh(self.vertices @ matrix.T + np.asarray(offset), self.faces, normals)


def build_mesh(vertices: ArrayLike, faces: ArrayLike) -> Mesh:
    """Make a mesh of one closed surface: faces turned outwards, normals creased."""
    points = np.asarray(vertices, dtype=float)
    ids = np.asarray(faces, dtype=np.int64)
    corners = points[ids]
    volume = np.einsum('ti,ti->', corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    if volume < 0:
        ids = ids[:, ::-1]
    return Mesh(points, ids, _creased_normals(points, ids))


def join(*meshes: Mesh) -> Mesh:
    """Put several meshes into one."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate(
            [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]
        ),
        np.concatenate([mesh.normals for mesh in meshes]),
    )


def box(low: Sequence[float], high: Sequence[float]) -> Mesh:
    """Make an axis-aligned box between two corners."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    return extrude([(x0, z0), (x1, z0), (x1, z1), (x0, z1)], y0, y1)


def extrude(outline: ArrayLike, front: float, back: float) -> Mesh:
    """Pull an outline in the x-z plane from y = front to y = back.

    Args:
        outline: (K, 2) corners (x, z); each must be seen from the mean of them all.
        front: y of the first cap.
        back: y of the second cap.
    """
    flat = np.asarray(outline, dtype=float)
    count = len(flat)
    here = np.arange(count)
    following = np.roll(here, -1)
    ring = np.vstack([flat, flat.mean(axis=0)])
    vertices = np.concatenate(
        [np.insert(ring, 1, y, axis=1) for y in (front, back)], dtype=float
    )
    hub, shift = np.full(count, count), count + 1
    faces = [
        np.stack([here, following, hub], axis=1),
        np.stack([following, here, hub], axis=1) + shift,
        np.stack([following, here, here + shift], axis=1),
        np.stack([following, here + shift, following + shift], axis=1),
    ]
    return build_mesh(vertices, np.concatenate(faces))


def extrude_band(outer: ArrayLike, inner: ArrayLike, front: float, back: float) -> Mesh:
    """Pull the band between two open lines in the x-z plane along y.

    Args:
        outer: (K, 2) points (x, z) of one edge of the band.
        inner: (K, 2) points of the other edge, paired with the first.
        front: y of the first cap.
        back: y of the second cap.
    """
    lines = [np.asarray(line, dtype=float) for line in (outer, inner)]
    count = len(lines[0])
    # Four lines of points: outer and inner at the front, inner and outer at the back.
    vertices = np.concatenate(
        [
            np.insert(line, 1, y, axis=1)
            for line, y in zip(
                (lines[0], lines[1], lines[1], lines[0]),
                (front, front, back, back),
                strict=True,
            )
        ]
    )
    faces = []
    for side in range(4):
        start, other = side * count, (side + 1) % 4 * count
        for k in range(count - 1):
            faces += _quad(start + k, start + k + 1, other + k + 1, other + k)
    first, last = [side * count for side in range(4)], count - 1
    faces += _quad(*first)
    faces += _quad(*(start + last for start in reversed(first)))
    return build_mesh(vertices, faces)


def lathe(profile: ArrayLike, segments: int = 40) -> Mesh:
    """Turn a profile around the z axis.

    Args:
        profile: (K, 2) points (radius, z) from axis to axis; the first and the last
            radius must be 0.
        segments: Number of slices around the axis.
    """
    points = np.asarray(profile, dtype=float)
    angles = np.arange(segments) * (2 * np.pi / segments)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rings = [
        np.column_stack([radius * circle, np.full(segments, z)])
        for radius, z in points[1:-1]
    ]
    poles = [[0.0, 0.0, points[0, 1]], [0.0, 0.0, points[-1, 1]]]
    vertices = np.concatenate([*rings, np.array(poles)])
    bottom, top = len(vertices) - 2, len(vertices) - 1
    here = np.arange(segments)
    following = np.roll(here, -1)
    last = (len(rings) - 1) * segments
    faces = [
        np.stack([following, here, np.full(segments, bottom)], axis=1),
        np.stack([here, following, np.full(segments, top - last)], axis=1) + last,
    ]
    faces[1][:, 2] = top
    for ring in range(len(rings) - 1):
        low, high = ring * segments, (ring + 1) * segments
        faces.append(np.stack([low + here, low + following, high + here], axis=1))
        faces.append(np.stack([low + following, high + following, high + here], axis=1))
    return build_mesh(vertices, np.concatenate(faces))


def tube(path: ArrayLike, radius: float, *, closed: bool, segments: int = 20) -> Mesh:
    """Sweep a circle along a path in the x-z plane.

    Args:
        path: (K, 2) points (x, z).
        radius: Radius of the circle.
        closed: Whether the last point joins the first; an open tube has no caps, so
            its ends belong inside another solid.
        segments: Number of sides of the tube.
    """
    points = np.asarray(path, dtype=float)
    if closed:
        tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    else:
        tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    angles = np.arange(segments) * (2 * np.pi / segments)
    outwards = radius * np.cos(angles)
    sideways = radius * np.sin(angles)
    x = points[:, :1] + tangent[:, 1:] * outwards
    z = points[:, 1:] - tangent[:, :1] * outwards
    y = np.broadcast_to(sideways, x.shape)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    faces = []
    for k in range(len(points) if closed else len(points) - 1):
        low, high = k * segments, (k + 1) % len(points) * segments
        for s in range(segments):
            t = (s + 1) % segments
            faces += _quad(low + s, low + t, high + t, high + s)
    return build_mesh(vertices, faces)


def _quad(a: int, b: int, c: int, d: int) -> list[tuple[int, int, int]]:
    return [(a, b, c), (a, c, d)]


def _creased_normals(vertices: Floats, faces: Ints) -> Floats:
    """Average, at every corner, the faces around its vertex that bend little.

    The faces are weighted by area, which is what their cross products carry.
    """
    corners = vertices[faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    units = areas / np.linalg.norm(areas, axis=1, keepdims=True)
    order = np.argsort(faces.ravel(), kind='stable')
    _, starts, counts = np.unique(
        faces.ravel()[order], return_index=True, return_counts=True
    )
    # Every pair of corners that share a vertex, found group by group.
    group = np.repeat(np.arange(len(counts)), counts)
    width = counts[group]
    left = np.repeat(np.arange(len(order)), width)
    ends = np.cumsum(width)
    rank = np.arange(ends[-1]) - np.repeat(ends - width, width)
    right = np.repeat(starts[group], width) + rank
    face_left, face_right = order[left] // 3, order[right] // 3
    similar = (units[face_left] * units[face_right]).sum(axis=1) > CREASE_COSINE
    normals = np.zeros((faces.size, 3))
    np.add.at(normals, order[left[similar]], areas[face_right[similar]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals.reshape(-1, 3, 3)
