"""Every detection config trains a step and tests on demo scenes, at reduced width."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from reduced_configs import DEPTH, reduce_config

from pe_mm.data.demo_scenes import make_demo_data
from pe_mm.detection import FederatedLoss

DETECTION = Path(__file__).parents[2] / 'configs' / 'detection'
CONFIGS = sorted(DETECTION.glob('*.py'))


@pytest.fixture(scope='module')
def demo_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('demo') / 'data'
    return make_demo_data(root, train=4, val=2, clips=0, size=128, clutter=0, workers=1)


class GradientNotes(Hook):
    """Gradients as they are when the optimizer steps, before they are cleared."""

    def before_train(self, runner):
        self.steps = 0
        self.model = runner.model
        self.groups = runner.optim_wrapper.optimizer.param_groups
        runner.optim_wrapper.optimizer.register_step_pre_hook(self.note)

    def note(self, *_):
        self.steps += 1
        named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        self.trained = {name.split('.')[0] for name, _ in named}
        self.broken = [
            n for n, p in named if p.grad is None or not p.grad.isfinite().all()
        ]
        self.reached = {
            n.split('.')[0] for n, p in named if p.grad is not None and p.grad.any()
        }


@pytest.fixture
def run(request, demo_root, tmp_path):
    """Train and test a config; return the runner, the gradients and the metrics."""
    cfg = reduce_config(Config.fromfile(request.param), demo_root, tmp_path)
    runner = Runner.from_cfg(cfg)
    notes = GradientNotes()
    runner.register_hook(notes)
    runner.train()
    return runner, notes, runner.test()


@pytest.mark.parametrize('run', CONFIGS, indirect=True, ids=lambda path: path.stem)
def test_config__reduced__trains_a_step_and_tests(run):
    runner, notes, metrics = run
    scalars = runner.message_hub.log_scalars
    losses = {n: scalars[n].current() for n in scalars if 'loss' in n}
    frozen = runner.model.backbone.frozen_blocks > 0

    assert notes.steps == 1
    assert len(losses) > 3 and all(torch.tensor(list(losses.values())).isfinite())
    assert notes.broken == []
    # In DINO these start without gradient: the layers behind them start at zero.
    assert notes.trained - notes.reached <= {'level_embed'}
    assert 'backbone' in notes.reached or frozen
    assert len({g['group_name'] for g in notes.groups}) == (1 if frozen else DEPTH + 2)
    for module in runner.model.modules():
        if isinstance(module, FederatedLoss):
            assert module.class_weights.any()
    expected = {'coco/bbox_mAP'}
    if runner.model.__class__.__name__ != 'DINO':
        expected.add('coco/segm_mAP')
    if 'panoptic' in runner.cfg.train_dataloader.dataset.get('ann_file', ''):
        expected.add('coco_panoptic/PQ')
    assert expected <= metrics.keys()
