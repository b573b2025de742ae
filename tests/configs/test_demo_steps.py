"""Every demo config trains a step and tests; some start from another's weights."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner, save_checkpoint
from reduced_configs import dicts, one_step

from pe_mm.checkpoints import read_checkpoint
from pe_mm.data.demo_scenes import make_demo_data

DEMO = Path(__file__).parents[2] / 'configs' / 'demo'
CONFIGS = sorted(DEMO.glob('*.py'))
# The demos that others start from, and the checkpoints that they leave.
SOURCES = {
    'mask_rcnn_pe_nano_windowed': 'epoch_3.pth',
    'linear_seg_pe_nano': 'epoch_22.pth',
}
# First evaluator -> a metric of it, and its largest value.
METRICS = {
    'CocoMetric': ('coco/bbox_mAP', 1),
    'IoUMetric': ('mIoU', 100),
    'pe_mm.DepthMetric': ('rmse', 11.3),
    'pe_mm.PanopticQualityMetric': ('coco/bbox_mAP', 1),
}


@pytest.fixture(scope='module')
def demo_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('demo') / 'data'
    return make_demo_data(root, train=2, val=2, clips=0, clutter=0, workers=1)


@pytest.fixture(scope='module')
def trained(tmp_path_factory, build_on_meta):
    """Checkpoints as the demos that others start from leave them, by their path."""
    root = tmp_path_factory.mktemp('trained')
    paths = {}
    for name, file in SOURCES.items():
        cfg = Config.fromfile(DEMO / f'{name}.py')
        assert file == f'epoch_{cfg.train_cfg.max_epochs}.pth'
        model = build_on_meta(cfg).to_empty(device='cpu')
        torch.manual_seed(0)
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.normal_(std=0.02)
        paths[f'work_dirs/{name}/{file}'] = root / f'{name}.pth'
        state = {'state_dict': model.state_dict(), 'meta': {}}
        save_checkpoint(state, str(root / f'{name}.pth'))
    return paths


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_demo_config__one_step__learns_and_tests(path, demo_root, trained, tmp_path):
    cfg = one_step(Config.fromfile(path), demo_root, tmp_path)
    init_cfg = cfg.model.backbone.get('init_cfg')
    if init_cfg is not None:
        # What no demo has trained is in the repository.
        source = trained.get(init_cfg.checkpoint, Path(init_cfg.checkpoint))
        init_cfg.checkpoint = str(source)
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = runner.test()

    if init_cfg is not None:
        name = 'blocks.5.attn.qkv.weight'
        content = read_checkpoint(source)
        state = content.get('state_dict', content)
        before = state[init_cfg.get('prefix', '') + name]
        moved = (runner.model.backbone.get_parameter(name) - before).abs().max()
        assert moved == 0 if cfg.model.backbone.get('freeze') else 0 < moved < 1e-4
    metric, largest = METRICS[next(dicts(cfg.test_evaluator)).type]
    assert 0 <= metrics[metric] <= largest
