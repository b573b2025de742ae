"""COCO records fit the masks they describe to the pixel."""

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_utils

from pe_mm.data.annotations import (
    CATEGORIES,
    depth_to_millimetres,
    instance_records,
    mask_to_polygons,
)
from pe_mm.data.renderer import render_labels
from pe_mm.data.sampler import sample_scene
from pe_mm.data.scene import CLASSES


def filled(polygons: list[list[float]], shape: tuple[int, int]) -> np.ndarray:
    """Draw polygons as pycocotools, and so mmdet, does."""
    parts = mask_utils.frPyObjects(polygons, *shape)
    return mask_utils.decode(mask_utils.merge(parts)).astype(bool)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def test_polygons__of_rectangles__are_exact() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[3:9, 4:20] = True
    mask[9:15, 4:8] = True

    polygons = mask_to_polygons(mask)

    assert np.array_equal(filled(polygons, mask.shape), mask)
    assert np.reshape(polygons[0], (-1, 2)).max(axis=0).tolist() == [20, 15]
    assert np.reshape(polygons[0], (-1, 2)).min(axis=0).tolist() == [4, 3]


def test_polygons__thing_cut_in_two_by_another__has_two_parts() -> None:
    mask = np.zeros((30, 30), dtype=bool)
    mask[5:25, 3:12] = mask[5:25, 16:27] = True

    polygons = mask_to_polygons(mask)

    assert len(polygons) == 2
    assert np.array_equal(filled(polygons, mask.shape), mask)


def test_polygons__ring_with_two_holes__leave_the_holes_open() -> None:
    mask = np.zeros((40, 60), dtype=bool)
    cv2.ellipse(canvas := mask.astype(np.uint8), (30, 20), (28, 18), 0, 0, 360, 1, -1)
    cv2.circle(canvas, (18, 20), 6, 0, -1)
    cv2.circle(canvas, (42, 20), 6, 0, -1)
    mask = canvas.astype(bool)

    polygons = mask_to_polygons(mask)

    assert len(polygons) == 1
    assert overlap(filled(polygons, mask.shape), mask) > 0.95
    assert not filled(polygons, mask.shape)[18:23, 16:21].any()


def test_polygons__splinters__are_left_out() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[4:12, 4:12] = True
    mask[15, 15] = True

    assert len(mask_to_polygons(mask)) == 1


def test_records__of_sampled_scenes__polygons_cover_the_masks() -> None:
    overlaps = []
    for seed in range(12):
        scene, labels = sample_scene(np.random.default_rng([8, seed]), 160)
        for k, record in enumerate(instance_records(scene, labels), start=1):
            mask = labels.instances == k
            overlaps.append(overlap(filled(record['segmentation'], mask.shape), mask))
            assert record['area'] == mask.sum()
            assert record['category_id'] == scene.things[k - 1].label

    assert min(overlaps) > 0.88
    assert np.mean(overlaps) > 0.96


def test_records__boxes__touch_the_mask_on_all_sides() -> None:
    scene, labels = sample_scene(np.random.default_rng(1), 128)

    for k, record in enumerate(instance_records(scene, labels), start=1):
        rows, columns = np.nonzero(labels.instances == k)
        x, y, width, height = record['bbox']
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)


def test_records__hidden_thing__keeps_only_its_visible_part(scene_of, place) -> None:
    far, near = place('cube', 0, 1, size=1.6), place('ball', 0, -1, size=0.8)
    scene = scene_of(far, near)
    labels = render_labels(scene, 128)

    cube, ball = instance_records(scene, labels)

    assert cube['area'] < labels.whole[0] and ball['area'] == labels.whole[1]
    assert not (filled(cube['segmentation'], (128, 128)) & labels.alone[1]).sum() > 30


def test_categories__ids__follow_the_classes_from_one() -> None:
    assert [c['id'] for c in CATEGORIES] == list(range(1, len(CLASSES) + 1))
    assert tuple(c['name'] for c in CATEGORIES) == CLASSES


def test_depth_to_millimetres__metres__are_rounded_and_never_zero() -> None:
    depth = np.array([0.0, 1.2344, 1.2346, 99.0], dtype=np.float32)

    assert depth_to_millimetres(depth).tolist() == [1, 1234, 1235, 65535]
    assert depth_to_millimetres(depth).dtype == np.uint16


@pytest.mark.parametrize('shape', [(8, 8), (9, 31)])
def test_polygons__full_picture__is_its_border(shape: tuple[int, int]) -> None:
    mask = np.ones(shape, dtype=bool)

    assert np.array_equal(filled(mask_to_polygons(mask), shape), mask)
