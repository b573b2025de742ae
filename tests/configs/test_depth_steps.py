"""Every depth config trains a step and tests, reduced, on files of the real layouts."""

from pathlib import Path

import pytest
import torch
from config_checks import GradientNotes
from mmengine.config import Config
from reduced_depth_configs import reduce_config

from pe_mm.engine import build_runner

DEPTH = Path(__file__).parents[2] / 'configs' / 'depth'
CONFIGS = sorted(DEPTH.glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config__reduced__trains_a_step_and_tests(path, tmp_path):
    cfg = reduce_config(Config.fromfile(path), tmp_path)
    runner = build_runner(cfg, 'train', 'val', 'test')
    notes = GradientNotes()
    runner.register_hook(notes)
    runner.train()
    metrics = runner.test()

    scalars = runner.message_hub.log_scalars
    losses = {n: scalars[n].current() for n in scalars if n.startswith('train/decode')}
    names = {'train/decode.loss_silog'}
    if path.stem.startswith('dpt'):
        names.add('train/decode.loss_gradient')
    assert notes.steps == 1
    assert losses.keys() == names
    assert all(torch.tensor(list(losses.values())).isfinite())
    assert notes.reached == notes.trained
    after = runner.model.state_dict()
    encoder = [n for n in after if n.startswith('backbone.')]
    assert encoder and not any(n in notes.trained for n in encoder)
    assert all(torch.equal(after[n], notes.before[n]) for n in encoder)
    assert metrics.keys() == {'rmse', 'abs_rel', 'd1'}
    assert 0 < metrics['rmse'] < cfg.model.decode_head.max_depth
    best = {file.stem for file in (tmp_path / 'work').glob('best_rmse_*.pth')}
    unit = 'epoch' if path.stem.startswith('dpt') else 'iter'
    assert best == {f'best_rmse_{unit}_1'}
