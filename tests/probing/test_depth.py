"""The depth probe: measured depth, loss and RMSE against numbers made by hand."""

import pytest
import torch

from pe_mm.depth import ScaleInvariantLogLoss
from pe_mm.probing.depth import DepthTask


@pytest.fixture
def task(build_task):
    return build_task(DepthTask, 'demo_depth')


def test_encode_truth__depth__is_that_in_the_middle_of_every_cell(task):
    sample = task.train[0]
    depth = task.encode_truth(sample)['depth']
    measured = sample.truth.gt_depth_map.data
    assert torch.equal(depth, measured[:, 2::4, 2::4].float())
    assert 0.5 < depth.mean() < 12


def test_loss__probe__is_siglog_of_valid_pixels(task):
    probe = task.build_probe(4).eval()
    depth = 1 + torch.rand(2, 1, 16, 16)
    depth[0, :, :4] = 0
    features = torch.randn(2, 4, 16, 16)
    loss = task.loss(probe, features, {'depth': depth})
    wanted = ScaleInvariantLogLoss().eval()(probe([features]), depth, depth > 0)
    torch.testing.assert_close(loss, wanted)
    probe.train()
    task.loss(probe, features, {'depth': depth}).backward()
    assert all(p.grad is not None for p in probe.parameters())
    # The variance counts from the second of the ten iterations on.
    assert probe.loss_decode.warm_iters == 1


def test_metric__constant_depth__is_the_mean_of_the_images_rmse(task):
    samples = [task.val[0], task.val[1]]
    metric = task.build_metric()
    metric.add(lambda maps: torch.full((2, 1, 3, 3), 4.0), torch.zeros(0), samples)
    errors = []
    for sample in samples:
        truth = sample.truth.gt_depth_map.data
        errors.append((truth[truth > 1e-3] - 4).square().mean().sqrt().item())
    assert metric.compute() == pytest.approx(sum(errors) / 2, rel=1e-5)
    assert task.protocol['metres'] == [1e-3, 12.0]
