"""Labels equal the geometry, and pictures fit the labels."""

import numpy as np
import pytest

from pe_mm.data.renderer import render_image, render_labels
from pe_mm.data.scene import FLOOR, OTHER, WALL

SIZE = 160


def rays(scene, size: int = SIZE) -> np.ndarray:
    """World directions of depth 1 through every pixel's centre, (S, S, 3)."""
    steps = ((np.arange(size) + 0.5) / size - 0.5) / scene.camera.focal
    right, down, forward = scene.camera.rotation
    return steps[None, :, None] * right + steps[:, None, None] * down + forward


def test_depth__of_a_ball__equals_the_sphere_to_a_centimetre(scene_of, place) -> None:
    scene = scene_of(place('ball', 0.3, 0.2, size=1.2))
    labels = render_labels(scene, SIZE)
    towards = rays(scene)
    start = scene.camera.position - (0.3, 0.2, 0.6)

    # |start + depth * ray| = radius
    a = (towards**2).sum(axis=-1)
    b = towards @ start
    root = b**2 - a * (start @ start - 0.6**2)
    expected = (-b - np.sqrt(np.maximum(root, 0))) / a

    # Within a pixel of the outline the facets of the mesh may differ more.
    inner = root > 0.02
    assert inner.sum() > 1000
    assert np.abs(labels.depth - expected)[inner].max() < 0.01
    assert (labels.instances[inner] == 1).all()
    assert (labels.instances[root < -0.02] == 0).all()


def test_depth__of_the_floor_and_the_back_wall__is_where_rays_meet_them(
    scene_of, place
) -> None:
    scene = scene_of(place('ball', 0, 0, size=0.5))
    labels = render_labels(scene, SIZE)
    towards = rays(scene)

    floor, wall = labels.semantics == FLOOR, labels.semantics == WALL
    to_floor = -scene.camera.position[2] / towards[..., 2]
    to_wall = (6 - scene.camera.position[1]) / towards[..., 1]

    assert floor.sum() > 1000 and wall.sum() > 1000
    assert labels.depth[floor] == pytest.approx(to_floor[floor], rel=1e-4)
    assert labels.depth[wall] == pytest.approx(to_wall[wall], rel=1e-4)


def test_semantics__skirting_board__is_other_and_between_floor_and_wall(
    scene_of, place
) -> None:
    labels = render_labels(scene_of(place('ball', 0, 0, size=0.5)), SIZE)

    column = labels.semantics[:, 5]

    assert list(dict.fromkeys(column.tolist())) == [WALL, OTHER, FLOOR]


def test_instances__one_thing_before_another__the_near_one_hides_the_far_one(
    scene_of, place
) -> None:
    far, near = place('cube', 0, 1, size=1.0), place('ball', 0, -1, size=0.8)

    for order in ((far, near), (near, far)):
        labels = render_labels(scene_of(*order), SIZE)
        ids = {thing.name: k for k, thing in enumerate(order, start=1)}
        both = labels.alone.all(axis=0)

        assert both.sum() > 100
        assert (labels.instances[both] == ids['ball']).all()
        assert labels.visible[ids['ball'] - 1] == labels.whole[ids['ball'] - 1]
        assert labels.visible[ids['cube'] - 1] < labels.whole[ids['cube'] - 1]


def test_instances__ring__shows_the_room_through_its_hole(scene_of, place) -> None:
    scene = scene_of(place('ring', 0, 0, size=1.2))
    labels = render_labels(scene, SIZE)

    x, y, _ = scene.camera.project(np.array([0.0, 0.0, 0.6]), SIZE)

    assert labels.instances[int(y), int(x)] == 0
    assert labels.visible[0] > 500


def test_image__edges__lie_on_the_borders_of_the_masks(scene_of, place) -> None:
    scene = scene_of(place('cube', 0, 0, size=1.3))
    image = render_image(scene, SIZE, np.random.default_rng(0)).astype(float)
    mask = render_labels(scene, SIZE).instances > 0

    steps = np.abs(np.diff(image, axis=1)).sum(axis=-1)
    border = mask[:, 1:] != mask[:, :-1]

    assert steps[border].mean() > 4 * steps[~border].mean()


def test_image__same_generator__same_picture(scene_of, place) -> None:
    scene = scene_of(place('mug', 0, 0), place('stairs', 1.3, 0))

    first, second = (
        render_image(scene, 64, np.random.default_rng(3)) for _ in range(2)
    )

    assert np.array_equal(first, second)
    assert first.dtype == np.uint8 and first.shape == (64, 64, 3)
    assert 60 < first.mean() < 190


def test_labels__half_the_size__are_the_same_scene(scene_of, place) -> None:
    scene = scene_of(place('cube', 0, 0, size=1.3))

    large, small = render_labels(scene, 128), render_labels(scene, 64)

    assert large.visible[0] / 4 == pytest.approx(small.visible[0], rel=0.05)
