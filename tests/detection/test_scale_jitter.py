"""The sides of a jittered image are rounded, not the scale."""

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import PolygonMasks
from mmengine.registry import TRANSFORMS, init_default_scope


def jitter(low, high):
    init_default_scope('mmdet')
    return TRANSFORMS.build(
        dict(
            type='pe_mm.ScaleJitter',
            scale=(1024, 1024),
            ratio_range=(low, high),
            keep_ratio=True,
            backend='pillow',
        )
    )


def results(height, width):
    return {
        'img': np.zeros((height, width, 3), np.uint8),
        'gt_bboxes': HorizontalBoxes(torch.tensor([[0.0, 0.0, width, height]])),
        'gt_masks': PolygonMasks(
            [[np.array([0.0, 0.0, width, 0.0, width, height])]], height, width
        ),
    }


@pytest.mark.parametrize('seed', range(20))
def test_size__random_ratio__is_that_of_detectron2s_formula(seed):
    height, width = 427, 640
    np.random.seed(seed)
    ratio = np.random.uniform(0.1, 2.0)
    np.random.seed(seed)

    resized = jitter(0.1, 2.0)(results(height, width))

    factor = min(1024 * ratio / height, 1024 * ratio / width)
    expected = np.round(np.multiply((height, width), factor)).astype(int).tolist()
    assert list(resized['img'].shape[:2]) == expected
    assert list(resized['img_shape']) == expected


def test_size__fraction_of_a_pixel__is_rounded_up_where_mmcv_cuts_it():
    # 0.1 * 1024 = 102.4; 0.1997 * 1024 = 204.49; 0.1998 * 1024 = 204.6
    assert jitter(0.1998, 0.1998)(results(640, 640))['img_shape'] == (205, 205)
    assert jitter(0.1, 0.1)(results(640, 640))['img_shape'] == (102, 102)


def test_objects__are_scaled_with_the_image():
    resized = jitter(0.5, 0.5)(results(256, 512))

    assert resized['img_shape'] == (256, 512)
    assert resized['gt_bboxes'].tensor.tolist() == [[0.0, 0.0, 512.0, 256.0]]
    resized = jitter(1.0, 1.0)(results(256, 512))
    assert resized['gt_bboxes'].tensor.tolist() == [[0.0, 0.0, 1024.0, 512.0]]
    assert resized['gt_masks'].masks[0][0].tolist() == [0, 0, 1024, 0, 1024, 512]
