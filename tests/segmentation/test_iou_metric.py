"""mmseg's IoUMetric, which the recipes are measured by, on cases counted by hand."""

import pytest
import torch
from mmseg.evaluation import IoUMetric


def evaluate(pairs, classes):
    metric = IoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = dict(classes=classes)
    samples = [
        dict(
            pred_sem_seg=dict(data=torch.tensor([predicted])),
            gt_sem_seg=dict(data=torch.tensor([label])),
        )
        for predicted, label in pairs
    ]
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_iou__two_images__is_counted_over_all_pixels():
    first = ([[0, 0, 1], [1, 1, 2]], [[0, 1, 1], [1, 1, 2]])
    second = ([[2, 2, 0]], [[2, 0, 0]])

    found = evaluate([first, second], ('a', 'b', 'c'))

    # a: both 2, predicted 3, labelled 3 -> 2 / 4; b: 3, 3, 4 -> 3 / 4; c: 2, 3, 2
    # -> 2 / 3; right are 7 of 9.
    assert found['mIoU'] == pytest.approx(100 * (2 / 4 + 3 / 4 + 2 / 3) / 3, abs=0.005)
    assert found['aAcc'] == pytest.approx(100 * 7 / 9, abs=0.005)
    assert found['mAcc'] == pytest.approx(100 * (2 / 3 + 3 / 4 + 1) / 3, abs=0.005)


def test_iou__ignored_pixels__never_count():
    found = evaluate([([[0, 1, 1, 0]], [[0, 1, 255, 255]])], ('a', 'b'))

    assert found == dict(aAcc=100, mIoU=100, mAcc=100)


def test_iou__class_in_neither__is_left_out_of_the_mean():
    found = evaluate([([[0, 0, 1]], [[0, 1, 1]])], ('a', 'b', 'c'))

    assert found['mIoU'] == pytest.approx(100 * (1 / 2 + 1 / 2) / 2)
