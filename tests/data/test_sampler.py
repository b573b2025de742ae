"""Sampled scenes show every thing well, and stay within their room."""

from collections import Counter

import numpy as np
import pytest

from pe_mm.data.sampler import (
    COLORS,
    COUNTS,
    MIN_PIXELS,
    MIN_VISIBLE,
    PATTERNS,
    is_clear,
    sample_material,
    sample_scene,
)
from pe_mm.data.scene import CLASSES

SCENES = [sample_scene(np.random.default_rng([5, k]), 96) for k in range(24)]


def test_sample_scene__every_thing__is_seen_well_enough() -> None:
    for scene, labels in SCENES:
        assert COUNTS[0] <= len(scene.things) <= COUNTS[1]
        assert len(scene.things) == len(labels.visible)
        assert (labels.visible >= MIN_PIXELS * 96 * 96).all()
        assert (labels.visible >= MIN_VISIBLE * labels.whole).all()


def test_sample_scene__things__rest_on_the_floor_within_the_walls() -> None:
    for scene, _ in SCENES:
        for thing in scene.things:
            reach = thing.vertices @ scene.room.planes[:, :3].T
            assert (reach + scene.room.planes[:, 3]).min() > -1e-9
            assert thing.vertices[:, 2].min() == pytest.approx(0, abs=1e-9)


def test_sample_scene__many__are_varied() -> None:
    names = Counter(thing.name for scene, _ in SCENES for thing in scene.things)
    counts = {len(scene.things) for scene, _ in SCENES}
    floors = {scene.room.floor.style for scene, _ in SCENES}

    assert len(names) >= len(CLASSES) - 1
    assert len(counts) >= 4
    assert len(floors) == 4


def test_sample_scene__same_seed__same_labels() -> None:
    scene, labels = sample_scene(np.random.default_rng([5, 0]), 96)

    assert np.array_equal(labels.instances, SCENES[0][1].instances)
    assert np.array_equal(labels.depth, SCENES[0][1].depth)


def test_sample_material__many__uses_every_colour_and_pattern() -> None:
    rng = np.random.default_rng(0)

    materials = [sample_material(rng) for _ in range(300)]

    assert {material.color for material in materials} == set(COLORS)
    assert {material.pattern for material in materials} == set(PATTERNS)
    for material in materials:
        assert (material.color == material.second) == (material.pattern == 'plain')
        assert material.albedo.min() >= 0 and material.albedo.max() <= 1


def test_is_clear__touching_or_in_a_wall__is_not(scene_of, place) -> None:
    scene = scene_of(place('cube', 0, 0))
    room, camera = scene.room, scene.camera

    assert is_clear(place('ball', 2, 0), scene.things, room, camera)
    assert not is_clear(place('ball', 0.6, 0), scene.things, room, camera)
    assert not is_clear(place('ball', 0, 5.8), scene.things, room, camera)
    assert not is_clear(place('ball', 0, -4.5), scene.things, room, camera)


def test_sample_scene__without_clutter__is_plain_and_larger() -> None:
    quiet, loud = (
        [
            sample_scene(np.random.default_rng(seed), 96, clutter)[0]
            for seed in range(12)
        ]
        for clutter in (0.0, 1.0)
    )
    assert {t.material.pattern for scene in quiet for t in scene.things} == {'plain'}
    assert {scene.room.wall.style for scene in quiet} == {'plain'}
    assert len({t.material.pattern for scene in loud for t in scene.things}) > 2
    assert all(scene.room.rug is None for scene in quiet)
