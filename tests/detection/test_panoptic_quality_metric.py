"""Panoptic quality follows its definition, crowds and unlabelled pixels included."""

import json

import cv2
import numpy as np
import pytest
import torch

from pe_mm.detection.panoptic_quality_metric import (
    PanopticQualityMetric,
    compare_segments,
)

THING, STUFF = 7, 9  # COCO's category ids are not consecutive.
CATEGORIES = [
    {'id': THING, 'name': 'cat', 'isthing': 1},
    {'id': STUFF, 'name': 'sky', 'isthing': 0},
]


@pytest.fixture
def metric(tmp_path):
    """Two rows of ten pixels: cats 1 and 2 with a hole of no label, and sky."""
    ids = np.array([[1] * 4 + [2] * 4 + [0] * 2, [3] * 10])
    color = np.stack([ids * 0, ids, ids * 0], -1)  # BGR, so an id is 256 * ids
    cv2.imwrite(str(tmp_path / 'a.png'), color.astype(np.uint8))
    segments = [
        {'id': 256, 'category_id': THING, 'iscrowd': 0},
        {'id': 512, 'category_id': THING, 'iscrowd': 0},
        {'id': 768, 'category_id': STUFF, 'iscrowd': 0},
    ]
    annotation = {'image_id': 5, 'file_name': 'a.png', 'segments_info': segments}
    content = {'categories': CATEGORIES, 'annotations': [annotation]}
    (tmp_path / 'a.json').write_text(json.dumps(content))
    metric = PanopticQualityMetric(str(tmp_path / 'a.json'), str(tmp_path))
    metric.dataset_meta = {'classes': ('cat', 'sky')}
    return metric


def sample(first_row, second_row, image=5):
    predicted = torch.tensor([[first_row, second_row]])
    return {'img_id': image, 'pred_panoptic_seg': {'sem_seg': predicted}}


def test_metric__prediction_is_the_truth__is_100(metric):
    metric.process(None, [sample([1000] * 4 + [2000] * 4 + [2] * 2, [1] * 10)])

    assert metric.evaluate(1) == {
        f'coco_panoptic/{name}{kind}': 100.0
        for name in ('PQ', 'SQ', 'RQ')
        for kind in ('', '_th', '_st')
    }


def test_metric__partly_wrong__is_computed_by_hand(metric):
    # Cat 1 with IoU 3/4, cat 2 missed, a surplus cat in the sky, sky with IoU 6/10.
    first = [1000] * 3 + [2] * 7
    metric.process(None, [sample(first, [1] * 6 + [3000] * 4)])

    found = metric.evaluate(1)

    assert found['coco_panoptic/SQ_th'] == 75.0
    assert found['coco_panoptic/RQ_th'] == 50.0  # 1 / (1 + (1 + 1) / 2)
    assert found['coco_panoptic/PQ_th'] == 37.5
    assert found['coco_panoptic/PQ_st'] == 60.0
    assert found['coco_panoptic/PQ'] == pytest.approx((37.5 + 60) / 2)


def test_metric__nothing_predicted__is_0(metric):
    metric.process(None, [sample([2] * 10, [2] * 10)])

    assert set(metric.evaluate(1).values()) == {0.0}


def test_metric__unlabelled_pixels__are_no_errors(metric):
    # The second cat reaches over the hole, and a third lies in nothing but the hole.
    first = [1000] * 4 + [2000] * 5 + [3000]
    metric.process(None, [sample(first, [1] * 10)])

    assert metric.evaluate(1)['coco_panoptic/PQ'] == 100.0


@pytest.mark.parametrize(
    ('crowd', 'category', 'expected'),
    [
        (True, THING, {}),
        (True, STUFF, {THING: [0, 0, 1, 0]}),
        (False, THING, {THING: [0, 0, 1, 1]}),
    ],
)
def test_compare_segments__half_covered_truth__is_an_error_unless_a_crowd(
    crowd, category, expected
):
    truth = np.full((1, 8), 4)
    predicted = np.array([[1] * 3 + [0] * 5])
    if not crowd:
        category = THING

    found = compare_segments(truth, {4: (category, crowd)}, predicted, {1: THING})

    assert {key: counts.tolist() for key, counts in found.items()} == expected


def reference(true_ids, true_segments, predicted_ids, predicted_segments):
    """The definition with masks, pair by pair."""
    counts = {}
    labelled = true_ids != 0
    for category in {*true_segments.values(), *predicted_segments.values()}:
        trues = [true_ids == i for i, c in true_segments.items() if c == category]
        masks = [
            (predicted_ids == i) for i, c in predicted_segments.items() if c == category
        ]
        ious = [
            [(t & p).sum() / (t | (p & labelled)).sum() for p in masks] for t in trues
        ]
        matches = [iou for row in ious for iou in row if iou > 0.5]
        surplus = sum(
            all(row[k] <= 0.5 for row in ious) and (p & ~labelled).sum() <= p.sum() / 2
            for k, p in enumerate(masks)
        )
        counts[category] = (
            sum(matches),
            len(matches),
            surplus,
            len(trues) - len(matches),
        )
    return {c: values for c, values in counts.items() if any(values)}


@pytest.mark.parametrize('seed', range(5))
def test_compare_segments__random_maps__equal_the_definition(seed):
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, 6, (4, 4)), np.ones((5, 5), int))
    noise = rng.random(truth.shape) < 0.2
    predicted = np.where(noise, rng.integers(0, 6, truth.shape), truth)
    true_segments = {i: (THING if i < 3 else STUFF) for i in set(truth.flat) - {0}}
    predicted_segments = {i: (THING if i < 4 else STUFF) for i in set(predicted.flat)}

    found = compare_segments(
        truth,
        {i: (c, False) for i, c in true_segments.items()},
        predicted,
        predicted_segments,
    )

    expected = reference(truth, true_segments, predicted, predicted_segments)
    assert found.keys() == expected.keys()
    for category, values in expected.items():
        assert found[category].tolist() == pytest.approx(values)
    assert found[STUFF][1] > 0


def test_metric__foreign_classes__says_which(metric):
    metric.dataset_meta = {'classes': ('cat', 'dog')}

    with pytest.raises(ValueError, match=r"\['dog', 'sky'\] are in one only"):
        metric.process(None, [sample([2] * 10, [2] * 10)])


def test_metric__image_of_another_set__says_so(metric):
    with pytest.raises(ValueError, match='has no image 6; give the ann_file of'):
        metric.process(None, [sample([2] * 10, [2] * 10, image=6)])
