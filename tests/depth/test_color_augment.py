"""The colour augmentation: values, ranges, probability, randomness."""

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS, DefaultScope

from pe_mm.depth import ColorAugment

ONE = (1.0, 1.0)


def image(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)


def augmented(transform, picture):
    return transform(dict(img=picture.copy()))['img']


def test_augment__known_numbers__is_that_by_hand() -> None:
    gamma = ColorAugment(1, gamma=(2.0, 2.0), brightness=ONE, color=ONE)
    bright = ColorAugment(1, gamma=ONE, brightness=(1.2, 1.2), color=(1.2, 1.2))
    picture = np.array([[[0, 51, 102], [204, 255, 10]]], dtype=np.uint8)

    assert augmented(gamma, picture).tolist() == [[[0, 10, 41], [163, 255, 0]]]
    assert augmented(bright, picture).tolist() == [[[0, 73, 147], [255, 255, 14]]]


def test_augment__drawn_numbers__are_inside_their_ranges_and_one_per_channel() -> None:
    np.random.seed(0)
    transform = ColorAugment(1, gamma=ONE, brightness=(0.75, 1.25), color=(0.9, 1.1))
    grey = np.full((2, 2, 3), 100, dtype=np.uint8)

    factors = np.stack([augmented(transform, grey)[0, 0] for _ in range(500)]) / 100

    assert factors.min() >= 0.75 * 0.9 - 0.01 and factors.max() <= 1.25 * 1.1 + 0.01
    ratios = factors[:, 0] / factors[:, 1]
    assert ratios.min() >= 0.9 / 1.1 - 0.02 and ratios.max() <= 1.1 / 0.9 + 0.02
    assert ratios.std() > 0.05
    assert factors.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(('prob', 'share'), [(0, 0), (0.5, 0.5), (1, 1)])
def test_augment__probability__is_how_often_images_change(prob, share) -> None:
    np.random.seed(0)
    transform = ColorAugment(prob)
    changed = [
        not np.array_equal(augmented(transform, image()), image()) for _ in range(400)
    ]

    assert np.mean(changed) == pytest.approx(share, abs=0.07)


def test_augment__depth__stays_as_it_is() -> None:
    depth = np.ones((6, 7), dtype=np.float32)
    results = dict(img=image(), gt_depth_map=depth, seg_fields=['gt_depth_map'])

    assert ColorAugment(1)(results)['gt_depth_map'] is depth
    assert results['img'].dtype == np.uint8


def test_augment__from_mmsegs_scope__is_found() -> None:
    with DefaultScope.overwrite_default_scope('mmseg'):
        assert TRANSFORMS.get('pe_mm.ColorAugment') is ColorAugment


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(prob=2), r'prob must be in \[0, 1\], got 2'),
        (dict(gamma=(0, 1)), r'gamma must be a pair .* got \(0, 1\)'),
        (dict(brightness=(1.2, 0.8)), r'brightness must be .* got \(1.2, 0.8\)'),
        (dict(color=(1,)), r'color must be .* got \(1,\)'),
    ],
)
def test_augment__impossible_arguments__are_named(kwargs, message) -> None:
    with pytest.raises(ValueError, match=message):
        ColorAugment(**kwargs)
