"""The detection probe: boxes, AP of perfect and bad boxes, and that it can learn."""

import copy
import math

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from seeded_models import CONFIGS

from pe_mm.probing.config_images import load_data_config
from pe_mm.probing.detection import MAX_BOXES, DetectionTask
from pe_mm.probing.features import encode
from pe_mm.probing.probe_task import Budget

PATH = CONFIGS / '_base_' / 'datasets' / 'demo_instance.py'


@pytest.fixture
def task(build_task):
    # Pictures of 64 px, seen at 128.
    return build_task(DetectionTask, 'demo_instance', side=128, patch_size=16)


def test_encode_truth__boxes__are_those_of_the_square_padded(task):
    sample = task.train[0]
    truth = sample.truth.gt_instances
    encoded = task.encode_truth(sample)
    count = len(truth)
    assert count > 0
    torch.testing.assert_close(encoded['boxes'][:count], 2 * truth.bboxes.tensor)
    assert encoded['classes'][:count].tolist() == truth.labels.tolist()
    assert encoded['classes'][count:].tolist() == [-1] * (MAX_BOXES - count)


def test_metric__boxes_of_the_truth__are_perfect_and_others_are_not(task):
    samples = [task.val[n] for n in range(3)]

    def predict(shift):
        return lambda probe, features: [
            InstanceData(
                bboxes=2 * s.truth.gt_instances.bboxes.tensor + shift,
                labels=s.truth.gt_instances.labels,
                scores=torch.ones(len(s.truth.gt_instances)),
            )
            for s in samples
        ]

    for shift, wanted in ((0, 100), (1000, 0)):
        metric = task.build_metric()
        task.predict = predict(shift)
        metric.add(None, torch.zeros(0), samples)
        assert metric.compute() == pytest.approx(wanted, abs=0.1)


def test_metric__fewer_images__leave_the_others_out(task):
    samples = [task.val[1]]
    metric = task.build_metric()
    task.predict = lambda probe, features: [
        InstanceData(
            bboxes=2 * s.truth.gt_instances.bboxes.tensor,
            labels=s.truth.gt_instances.labels,
            scores=torch.ones(len(s.truth.gt_instances)),
        )
        for s in samples
    ]
    metric.add(None, torch.zeros(0), samples)
    assert metric.compute() == pytest.approx(100, abs=0.1)


def test_metric__of_every_layer__has_the_same_annotations_and_own_results(task):
    one, other = task.coco_metric(), task.coco_metric()
    assert one._coco_api is other._coco_api
    one.results.append('found')
    assert other.results == task.coco_metric().results == []


def test_metric__nothing_found__is_zero(task):
    task.predict = lambda probe, features: [
        InstanceData(
            bboxes=torch.zeros(0, 4),
            labels=torch.zeros(0).long(),
            scores=torch.zeros(0),
        )
    ]
    metric = task.build_metric()
    metric.add(None, torch.zeros(0), [task.val[0]])
    assert metric.compute() == 0


def test_metric__boxes_of_some_quality__is_mmdets_without_rounding(task):
    torch.manual_seed(3)
    samples = [task.val[n] for n in range(3)]

    def predict(probe, features):
        found = []
        for sample in samples:
            boxes = 2 * sample.truth.gt_instances.bboxes.tensor
            shifted = boxes + 6 * torch.randn_like(boxes)
            labels, scores = sample.truth.gt_instances.labels, torch.rand(len(boxes))
            found.append(InstanceData(bboxes=shifted, labels=labels, scores=scores))
        return found

    task.predict = predict
    metric = task.build_metric()
    metric.add(None, torch.zeros(0), samples)
    value = metric.compute()

    theirs = task.coco_metric()
    theirs.results = metric._metric.results
    theirs.img_ids = [predicted['img_id'] for _, predicted in theirs.results]
    rounded = 100 * theirs.compute_metrics(theirs.results)['bbox_mAP']
    assert 5 < value < 95
    assert value == pytest.approx(rounded, abs=0.05 + 1e-9)
    assert value != rounded


def test_metric__no_object_in_the_images__is_not_a_number(task):
    metric = task.build_metric()
    task.predict = lambda probe, features: [
        InstanceData(
            bboxes=torch.ones(1, 4), labels=torch.zeros(1).long(), scores=torch.ones(1)
        )
    ]
    metric.add(None, torch.zeros(0), [task.val[0]])
    api = copy.copy(task._empty_metric._coco_api)
    api.imgToAnns = {}
    metric._metric._coco_api = api
    assert math.isnan(metric.compute())


def test_probe__tokens_that_know_where_they_are__learns_the_boxes_of_a_picture(task):
    torch.manual_seed(0)
    samples = [task.train[0]]
    truths = encode(task, samples)
    features = torch.eye(64).view(1, 64, 8, 8)
    probe = task.build_probe(64).train()
    optimizer = torch.optim.AdamW(probe.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        loss = task.loss(probe, features, truths)
        loss.backward()
        optimizer.step()
    assert all(p.grad is not None for p in probe.parameters())
    with torch.no_grad():
        (found,) = task.predict(probe.eval(), features)
    boxes = truths['boxes'][0][truths['classes'][0] >= 0]
    classes = truths['classes'][0][: len(boxes)].long()
    best = found.scores.argsort(descending=True)[:30]
    overlaps = bbox_overlaps(boxes, found.bboxes[best])
    overlaps[classes[:, None] != found.labels[best]] = 0
    # Objects whose middle another one covers have no location of their own.
    assert (overlaps.amax(1) > 0.6).float().mean() >= 0.5


def test_init__evaluator_that_is_none_of_coco__is_an_error(scenes):
    options = ['val_evaluator.type=LVISMetric']
    cfg = load_data_config(PATH, data_root=scenes, options=options)
    with pytest.raises(
        ValueError, match='no data for detection: .* must be CocoMetric, got L'
    ):
        DetectionTask(cfg, config='x.py', side=64, patch_size=16, budget=Budget(1))
