"""Anchors meet ground truth as in detectron2."""

import pytest
import torch
from mmdet.models.task_modules import MaxIoUAssigner
from mmengine.registry import TASK_UTILS, DefaultScope
from mmengine.structures import InstanceData

from pe_mm.detection import Detectron2Assigner

LABELS = torch.tensor([7, 8])


@pytest.fixture(autouse=True)
def mmdet_scope():
    """What an assigner builds by itself is mmdet's, whatever ran before."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def assign(overlaps, labels=LABELS, **options):
    assigner = Detectron2Assigner(0.7, 0.3, **options)
    return assigner.assign_wrt_overlaps(torch.as_tensor(overlaps), labels)


def test_assign__thresholds__make_positive_negative_and_ignored() -> None:
    # The third box is at the upper threshold, the fourth at the lower one.
    result = assign([[0.9, 0.1, 0.7, 0.3, 0.2], [0.0, 0.2, 0.1, 0.1, 0.95]])
    assert result.gt_inds.tolist() == [1, 0, 1, -1, 2]
    assert result.labels.tolist() == [7, -1, 7, -1, 8]


def test_assign__best_box_of_a_truth__is_positive_however_little_it_overlaps() -> None:
    overlaps = [[0.9, 0.0, 0.0], [0.0, 0.05, 0.01]]
    assert assign(overlaps).gt_inds.tolist() == [1, 2, 0]
    mmdets = MaxIoUAssigner(0.7, 0.3, min_pos_iou=0.3)
    result = mmdets.assign_wrt_overlaps(torch.tensor(overlaps), LABELS)
    assert result.gt_inds.tolist() == [1, 0, 0]


def test_assign__box_that_is_best_for_a_lesser_truth__keeps_its_own() -> None:
    # Box 0 is the best of both truths and overlaps the first more.
    overlaps = [[0.8, 0.2], [0.5, 0.1]]
    result = assign(overlaps)
    assert result.gt_inds.tolist() == [1, 0]
    assert result.labels.tolist() == [7, -1]
    mmdets = MaxIoUAssigner(0.7, 0.3, min_pos_iou=0.3)
    theirs = mmdets.assign_wrt_overlaps(torch.tensor(overlaps), LABELS)
    assert theirs.gt_inds.tolist() == [2, 0]


def test_assign__low_match_between_the_thresholds__takes_the_boxs_own_truth() -> None:
    # Box 1 is the best of the second truth, but overlaps the first more.
    result = assign([[0.9, 0.5], [0.1, 0.4]])
    assert result.gt_inds.tolist() == [1, 1]
    assert result.labels.tolist() == [7, 7]


def test_assign__boxes_that_tie_for_a_truth__are_all_positive() -> None:
    result = assign([[0.4, 0.4, 0.1], [0.0, 0.0, 0.8]])
    assert result.gt_inds.tolist() == [1, 1, 2]


def test_assign__truth_that_no_box_overlaps__takes_those_without_overlap() -> None:
    result = assign([[0.8, 0.0, 0.1], [0.0, 0.0, 0.0]])
    assert result.gt_inds.tolist() == [1, 1, 1]


def test_assign__without_low_quality_matches__thresholds_alone_decide() -> None:
    result = assign([[0.9, 0.5, 0.2], [0.1, 0.4, 0.6]], match_low_quality=False)
    assert result.gt_inds.tolist() == [1, -1, -1]


def test_assign__no_truth_or_no_box__is_empty() -> None:
    result = assign(torch.zeros(0, 3), LABELS[:0])
    assert result.gt_inds.tolist() == [0, 0, 0]
    result = assign(torch.zeros(2, 0))
    assert result.gt_inds.shape == (0,)


def test_assigner__built_from_a_config__assigns_boxes() -> None:
    assigner = TASK_UTILS.build(
        dict(type='pe_mm.Detectron2Assigner', pos_iou_thr=0.7, neg_iou_thr=0.3)
    )
    # Overlaps with the truth: 1/16, 1/4, 0.
    priors = torch.tensor([[0, 0, 4, 4], [0, 0, 8, 8], [20, 20, 30, 30]]).float()
    truths = torch.tensor([[0, 0, 16, 16]]).float()
    result = assigner.assign(
        InstanceData(priors=priors),
        InstanceData(bboxes=truths, labels=torch.tensor([3])),
    )
    assert result.gt_inds.tolist() == [0, 1, 0]
    assert result.labels.tolist() == [-1, 3, -1]
