"""The segmentation probe: labels, loss and mIoU against numbers made by hand."""

import pytest
import torch
import torch.nn.functional as F

from pe_mm.probing.segmentation import SegmentationTask


@pytest.fixture
def task(build_task):
    return build_task(SegmentationTask, 'demo_semantic')


def test_encode_truth__labels__are_those_in_the_middle_of_every_cell(task):
    sample = task.train[0]
    labels = task.encode_truth(sample)['labels']
    assert labels.dtype == torch.int16
    assert torch.equal(labels, sample.truth.gt_sem_seg.data[0, 2::4, 2::4].short())


def test_loss__probe__is_the_mean_over_labelled_pixels(task):
    probe = task.build_probe(4).train()
    features = torch.randn(2, 4, 4, 4)
    labels = torch.randint(0, 15, (2, 16, 16), dtype=torch.int16)
    labels[0, :8] = 255
    normed = F.batch_norm(features, None, None, training=True)
    logits = F.conv2d(normed, probe.conv_seg.weight, probe.conv_seg.bias)
    logs = F.interpolate(logits, (16, 16), mode='bilinear').log_softmax(1)
    kept = labels != 255
    picked = logs.gather(1, labels.long().where(kept, 0)[:, None])[:, 0]

    loss = task.loss(probe, features, {'labels': labels})
    loss.backward()

    torch.testing.assert_close(loss, -picked[kept].mean(), rtol=1e-5, atol=1e-6)
    assert all(p.grad is not None for p in probe.parameters())


def test_metric__right_wrong_and_mixed__is_miou_in_percent(task):
    samples = [task.val[0], task.val[1]]
    truth = torch.cat([s.truth.gt_sem_seg.data for s in samples])
    right = F.one_hot(truth.long().where(truth != 255, 0), 15).permute(0, 3, 1, 2)
    # Of the second picture everything is called class 0.
    mixed = right.clone()
    mixed[1] = 0
    mixed[1, 0] = 1
    predicted = mixed.argmax(1).where(truth != 255, 255)
    ious = [
        ((predicted == k) & (truth == k)).sum()
        / ((predicted == k) | (truth == k)).sum()
        for k in range(15)
        if ((predicted == k) | (truth == k)).any()
    ]
    for logits, wanted in ((right, 100), (mixed, 100 * sum(ious) / len(ious))):
        metric = task.build_metric()
        # At a multiple of the pictures' size, which must not matter.
        large = F.interpolate(logits.float(), scale_factor=2, mode='nearest')
        metric.add(lambda maps, large=large: large, torch.zeros(0), samples)
        # mmseg rounds to two decimals.
        assert metric.compute() == pytest.approx(float(wanted), abs=0.006)
