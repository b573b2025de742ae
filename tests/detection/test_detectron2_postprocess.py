"""Suppression and rescaling as in detectron2, on boxes drawn by hand."""

import pytest
import torch
from mmcv.ops import batched_nms
from mmengine.structures import InstanceData

from pe_mm.detection.detectron2_postprocess import (
    class_wise_nms,
    nonempty,
    to_original_image,
)


def suppress(boxes, scores, classes, threshold=0.5):
    kept = class_wise_nms(
        torch.as_tensor(boxes, dtype=torch.float32),
        torch.tensor(scores),
        torch.tensor(classes),
        dict(type='nms', iou_threshold=threshold),
    )
    return kept.tolist()


# Overlap with the first: 1/2, 0.6 and 0.
BOXES = [[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 6], [20, 20, 30, 30]]


def test_nms__overlap_above_the_threshold__loses_to_the_better_score() -> None:
    assert suppress(BOXES, [0.9, 0.8, 0.7, 0.6], [0, 0, 0, 0]) == [0, 1, 3]
    # The third suppresses both of those it overlaps by more than a half.
    assert suppress(BOXES, [0.7, 0.8, 0.9, 0.6], [0, 0, 0, 0]) == [2, 3]


def test_nms__overlap_of_exactly_the_threshold__stays() -> None:
    assert suppress(BOXES[:2], [0.9, 0.8], [0, 0]) == [0, 1]
    assert suppress(BOXES[:2], [0.9, 0.8], [0, 0], threshold=0.499) == [0]


def test_nms__classes__do_not_suppress_each_other() -> None:
    assert suppress(BOXES, [0.6, 0.7, 0.8, 0.9], [0, 1, 2, 3]) == [3, 2, 1, 0]
    assert suppress(BOXES, [0.6, 0.7, 0.8, 0.9], [0, 1, 0, 3]) == [3, 2, 1]


def test_nms__boxes_of_a_late_class__are_not_rounded() -> None:
    # Overlap 0.5075. Moved by 1202 * 1005 pixels float32 steps by 1/8: exactly a half.
    boxes = [[1000.0, 1000.0, 1004.0, 1004.0], [1000.0, 1000.0, 1004.0, 1002.03]]
    assert suppress(boxes, [0.9, 0.8], [1202, 1202]) == [0]
    moved, scores = torch.tensor(boxes), torch.tensor([0.9, 0.8])
    late = torch.tensor([1202, 1202])
    _, kept = batched_nms(moved, scores, late, dict(type='nms', iou_threshold=0.5))
    assert kept.tolist() == [0, 1]


def test_nms__equal_scores__the_first_wins() -> None:
    count = 300
    boxes = [[10 * i, 0, 10 * i + 10, 10] for i in range(count)] * 2
    kept = suppress(boxes, [0.5] * 2 * count, [0] * 2 * count)
    assert kept == list(range(count))


def test_nms__negative_scores__are_scores_too() -> None:
    assert suppress(BOXES, [-3.0, -2.0, -1.0, -9.0], [0, 0, 0, 0]) == [2, 3]


def test_nms__no_boxes__keeps_none() -> None:
    assert suppress(torch.zeros(0, 4), [], []) == []


@pytest.mark.parametrize(
    'nms_cfg',
    [
        dict(type='soft_nms', iou_threshold=0.5),
        dict(type='nms', iou_threshold=0.5, class_agnostic=True),
        dict(type='nms'),
    ],
)
def test_nms__another_suppression__is_an_error(nms_cfg) -> None:
    with pytest.raises(ValueError, match="nms must be dict.type='nms', iou_threshold"):
        class_wise_nms(torch.zeros(1, 4), torch.zeros(1), torch.zeros(1), nms_cfg)


def test_nonempty__sides_must_be_larger_than_the_limit() -> None:
    boxes = torch.tensor([[0, 0, 1, 2], [3, 0, 3, 2], [0, 5, 4, 5], [2, 0, 1, 3]])
    assert nonempty(boxes).tolist() == [True, False, False, False]
    assert nonempty(boxes, 1).tolist() == [False, False, False, False]


def test_to_original_image__boxes__are_scaled_clipped_and_dropped() -> None:
    # Resized by 0.5 in x and 0.25 in y, to 50 x 20.
    meta = dict(ori_shape=(79, 99, 3), scale_factor=(0.5, 0.25), img_shape=(20, 50))
    boxes = torch.tensor(
        [[5, 5, 10, 10], [40, 10, 50, 20], [49.5, 0, 50, 9], [-2, -2, 4, 4]]
    )
    results = InstanceData(bboxes=boxes, scores=torch.arange(4.0))
    results, kept = to_original_image(results, meta)
    # The third starts at x 99, where the image ends.
    assert kept.tolist() == [True, True, False, True]
    expected = torch.tensor([[10.0, 20, 20, 40], [80, 40, 99, 79], [0, 0, 8, 16]])
    assert torch.equal(results.bboxes, expected)
    assert results.scores.tolist() == [0, 1, 3]
