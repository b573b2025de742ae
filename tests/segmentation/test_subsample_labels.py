"""Subsampled labels: taken from the middle, the image left alone."""

import numpy as np
import pytest
import torch
from mmengine.registry import TRANSFORMS, DefaultScope
from torch.nn import functional

from pe_mm.segmentation import SubsampleLabels


def results(labels):
    image = np.zeros((*labels.shape, 3), np.uint8)
    return dict(img=image, gt_seg_map=labels, seg_fields=['gt_seg_map'])


@pytest.mark.parametrize(
    ('stride', 'wanted'),
    [
        (1, np.arange(36).reshape(6, 6)),
        (2, [[7, 9, 11], [19, 21, 23], [31, 33, 35]]),
        (3, [[7, 10], [25, 28]]),
    ],
)
def test_subsample__numbered_pixels__are_those_of_the_middle(stride, wanted) -> None:
    given = results(np.arange(36).reshape(6, 6))

    got = SubsampleLabels(stride)(given)

    np.testing.assert_array_equal(got['gt_seg_map'], wanted)
    assert got['img'].shape == (6, 6, 3)


def test_subsample__edge_of_a_region__stays_where_resized_logits_have_it() -> None:
    # Logits of 4 px cells, whose zero crossing is at pixel 24 of 48.
    column = torch.arange(12.0) - 5.5
    logits = column.expand(1, 1, 12, 12)
    large = functional.interpolate(logits, size=(48, 48), mode='bilinear')[0, 0] > 0
    small = SubsampleLabels(4)(results(large.numpy()))['gt_seg_map']

    np.testing.assert_array_equal(small, (logits[0, 0] > 0).numpy())


def test_subsample__from_mmsegs_scope__is_found() -> None:
    with DefaultScope.overwrite_default_scope('mmseg'):
        built = TRANSFORMS.build(dict(type='pe_mm.SubsampleLabels', stride=4))
    assert built.stride == 4


@pytest.mark.parametrize('stride', [0, -2, 1.5, True, '4'])
def test_subsample__no_stride__is_named(stride) -> None:
    with pytest.raises(ValueError, match='stride must be a positive integer, got'):
        SubsampleLabels(stride)


def test_subsample__size_that_does_not_fit__is_named_with_the_map() -> None:
    with pytest.raises(ValueError, match='gt_seg_map has 6 x 6 pixels, .* of 4'):
        SubsampleLabels(4)(results(np.zeros((6, 6), np.uint8)))
