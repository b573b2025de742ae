"""One random number decides where an image is cropped."""

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import PolygonMasks

from pe_mm.detection import FixedSizeCrop


def results(height, width, polygons=()):
    boxes = [
        [p[0::2].min(), p[1::2].min(), p[0::2].max(), p[1::2].max()] for p in polygons
    ]
    return {
        'img': np.arange(height * width, dtype=np.int64).reshape(height, width, 1),
        'gt_bboxes': HorizontalBoxes(torch.tensor(boxes).reshape(-1, 4)),
        'gt_bboxes_labels': np.arange(len(polygons)),
        'gt_masks': PolygonMasks([[p] for p in polygons], height, width),
    }


def offset(cropped, width):
    return divmod(int(cropped['img'][0, 0, 0]), width)


@pytest.mark.parametrize('seed', range(5))
def test_offsets__image_larger_on_both_axes__share_one_draw(seed):
    crop = FixedSizeCrop(crop_size=(40, 30), allow_negative_crop=True)
    np.random.seed(seed)
    draw = np.random.uniform()
    np.random.seed(seed)

    cropped = crop(results(90, 440))

    assert cropped['img'].shape == (30, 40, 1)
    assert cropped['img_shape'] == (30, 40)
    assert offset(cropped, 440) == (round(60 * draw), round(400 * draw))


def test_offsets__many_draws__reach_both_corners():
    crop = FixedSizeCrop(crop_size=(40, 40), allow_negative_crop=True)

    offsets = [offset(crop(results(42, 41)), 41) for _ in range(100)]

    # Rounding one number u: (0, 0), (1, 0) or (1, 1), (2, 1); never (0, 1) or (2, 0).
    assert set(offsets) <= {(0, 0), (1, 0), (1, 1), (2, 1)}
    assert {(0, 0), (2, 1)} <= set(offsets)


def test_crop__image_smaller_on_one_axis__keeps_that_axis_without_padding():
    crop = FixedSizeCrop(crop_size=(40, 40), allow_negative_crop=True)

    cropped = crop(results(20, 100))

    assert cropped['img'].shape == (20, 40, 1)
    assert offset(cropped, 100)[0] == 0


def test_boxes__polygon_partly_outside__are_those_of_the_cropped_polygon(monkeypatch):
    monkeypatch.setattr(np.random, 'uniform', lambda: 0.5)
    # A triangle whose tip only is inside: its box is narrower than the clipped old box.
    triangle = np.array([0.0, 0.0, 60.0, 50.0, 0.0, 100.0])
    crop = FixedSizeCrop(
        crop_size=(50, 100), recompute_bbox=True, allow_negative_crop=True
    )

    cropped = crop(results(100, 110, [triangle]))

    # x from 30, y as before; at x = 30 the triangle spans y 25..75.
    assert cropped['gt_bboxes'].tensor.tolist() == [[0.0, 25.0, 30.0, 75.0]]
    assert cropped['gt_masks'].areas.tolist() == [30 * 50 / 2]


def test_crop__no_object_left__keeps_the_image(monkeypatch):
    monkeypatch.setattr(np.random, 'uniform', lambda: 1.0)
    square = np.array([0.0, 0.0, 9.0, 0.0, 9.0, 9.0, 0.0, 9.0])
    crop = FixedSizeCrop(
        crop_size=(50, 50), recompute_bbox=True, allow_negative_crop=True
    )

    cropped = crop(results(100, 100, [square]))

    assert cropped['img'].shape == (50, 50, 1)
    assert len(cropped['gt_bboxes']) == len(cropped['gt_masks']) == 0
