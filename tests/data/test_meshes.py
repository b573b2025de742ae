"""Meshes are closed, turned outwards and shaded round only where they are round."""

import numpy as np
import pytest

from pe_mm.data.meshes import Mesh, box, extrude, extrude_band, join, lathe, tube

HALF_CIRCLE = np.stack(
    [np.sin(np.linspace(0, np.pi, 17)), -np.cos(np.linspace(0, np.pi, 17))], axis=1
)
CIRCLE = np.stack(
    [np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)], axis=1
)


def volume(mesh: Mesh) -> float:
    a, b, c = mesh.triangles.transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def ball() -> Mesh:
    profile = HALF_CIRCLE.copy()
    profile[[0, -1], 0] = 0
    return lathe(profile, segments=48)


@pytest.mark.parametrize(
    ('mesh', 'expected'),
    [
        (box((0, 0, 0), (1, 2, 3)), 6.0),
        (ball(), 4 / 3 * np.pi),
        (lathe([(0, 0), (1, 0), (1, 2), (0, 2)], segments=96), 2 * np.pi),
        (tube(CIRCLE * 2, 0.5, closed=True), 2 * np.pi**2 * 2 * 0.25),
        (extrude([(0, 0), (2, 0), (2, 1), (0, 1)], 0, 3), 6.0),
        (extrude_band([(0, 0), (0, 2)], [(1, 0), (1, 2)], 0, 3), 6.0),
    ],
)
def test_mesh__faces_turned_outwards__volume_is_positive_and_right(
    mesh: Mesh, expected: float
) -> None:
    assert volume(mesh) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    'mesh',
    [
        box((0, 0, 0), (1, 1, 1)),
        ball(),
        tube(CIRCLE, 0.2, closed=True),
        extrude_band([(0, 0), (0, 1), (0, 2)], [(1, 0), (1, 1), (1, 2)], 0, 3),
    ],
)
def test_mesh__closed__every_edge_is_walked_once_in_each_direction(mesh: Mesh) -> None:
    edges = np.concatenate([mesh.faces[:, [k, (k + 1) % 3]] for k in range(3)])
    forward = {tuple(edge) for edge in edges}

    assert len(forward) == len(edges)
    assert {(b, a) for a, b in forward} == forward


def test_box_normals__sharp_edges__stay_flat() -> None:
    mesh = box((0, 0, 0), (1, 1, 1))

    assert np.allclose(np.abs(mesh.normals).max(axis=-1), 1)


def test_ball_normals__round__point_away_from_the_middle() -> None:
    mesh = ball()

    alignment = (mesh.normals * mesh.triangles).sum(axis=-1)

    assert alignment.min() > 0.995


def test_transformed__stretched__normals_stay_perpendicular() -> None:
    mesh = box((0, 0, 0), (1, 1, 1)).transformed(np.diag([1, 2, 5]), (3, 0, 0))

    edges = mesh.triangles[:, 1] - mesh.triangles[:, 0]

    assert np.allclose((edges[:, None] * mesh.normals).sum(axis=-1), 0)
    assert np.allclose(np.linalg.norm(mesh.normals, axis=-1), 1)
    assert mesh.vertices[:, 0].min() == 3


def test_join__two_boxes__keeps_both() -> None:
    one, two = box((0, 0, 0), (1, 1, 1)), box((2, 0, 0), (3, 1, 1))

    both = join(one, two)

    assert np.array_equal(
        both.triangles, np.concatenate([one.triangles, two.triangles])
    )
