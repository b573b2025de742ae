"""A model trains as its layer decay says, in wrappers, schedules and detectors."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import LinearLR, MultiStepLR, build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from pe_mm import PerceptionEncoder

CONFIGS = Path(__file__).parents[2] / 'configs'
VARIANT = dict(depth=3, width=8, heads=1, patch_size=8, image_size=16, layer_scale=0.1)


class Detector(nn.Module):
    """An encoder of three blocks and a neck."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = PerceptionEncoder(VARIANT)
        self.neck = nn.Conv2d(8, 4, 1)


def config(lr=1.0, weight_decay=0.1, optimizer='AdamW', **paramwise_cfg):
    return dict(
        type='OptimWrapper',
        constructor='pe_mm.LayerDecayOptimWrapperConstructor',
        paramwise_cfg={'layer_decay_rate': 0.5} | paramwise_cfg,
        optimizer=dict(type=optimizer, lr=lr, weight_decay=weight_decay),
    )


def build(model, **kwargs):
    return build_optim_wrapper(model, config(**kwargs))


def lrs(model, wrapper):
    """Return the learning rate of each parameter, by its name."""
    groups = wrapper.optimizer.param_groups
    by_id = {id(p): group['lr'] for group in groups for p in group['params']}
    return {name: by_id[id(p)] for name, p in model.named_parameters()}


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def fsdp(module, use_orig_params=True):
    return FullyShardedDataParallel(
        module, use_orig_params=use_orig_params, device_id=torch.device('cpu')
    )


@pytest.mark.filterwarnings('ignore:FSDP is switching:UserWarning')
@pytest.mark.parametrize('wrap', [MMDistributedDataParallel, torch.compile, fsdp])
def test_groups__wrapped_model__are_those_of_the_model(wrap, process_group):
    rules = dict(
        custom_keys={'backbone.blocks.1': dict(lr_mult=3.0)},
        norm_decay_mult=0.0,
        encoder_no_weight_decay=True,
    )
    plain, wrapped = Detector(), wrap(Detector())
    groups = build(plain, **rules).optimizer.param_groups
    found = build(wrapped, **rules).optimizer.param_groups
    for group, wanted in zip(found, groups, strict=True):
        for key in ('group_name', 'lr', 'weight_decay'):
            assert group[key] == wanted[key]
        shapes = [p.shape for p in group['params']]
        assert shapes == [p.shape for p in wanted['params']]


@pytest.mark.filterwarnings('ignore:FSDP is switching:UserWarning')
def test_build__fsdp_that_hides_parameters__says_how_to_wrap(process_group):
    with pytest.raises(ValueError, match='use_orig_params=True'):
        build(fsdp(Detector(), use_orig_params=False))
    with pytest.raises(ValueError, match='flat_decay_mult needs the shapes'):
        build(fsdp(Detector()), flat_decay_mult=0.0)


def test_update__sgd__is_in_proportion_to_the_factors():
    model = Detector()
    wrapper = build(model, lr=0.25, weight_decay=0.0, optimizer='SGD')
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    wrapper.step()
    steps = {
        name: (before[name] - p.detach()).double()
        for name, p in model.named_parameters()
    }
    factors = {'blocks.0': 0.125, 'blocks.1': 0.25, 'blocks.2': 0.5}
    for name, step in steps.items():
        factor = next((f for key, f in factors.items() if key in name), None)
        if factor is None:
            factor = 0.0625 if 'backbone' in name else 1.0
        expected = torch.full_like(step, 0.25 * factor)
        torch.testing.assert_close(step, expected, rtol=0, atol=1e-6)


def test_gradients__accumulated__step_every_second_time():
    model = Detector()
    cfg = config(optimizer='SGD', weight_decay=0.0) | {'accumulative_counts': 2}
    wrapper = build_optim_wrapper(model, cfg)
    wrapper.initialize_count_status(model, 0, 2)
    weight = model.backbone.blocks[2].gamma_1
    start = weight.detach().clone()
    wrapper.update_params(weight.sum())
    torch.testing.assert_close(weight.detach(), start)
    wrapper.update_params(weight.sum())
    torch.testing.assert_close(weight.detach(), start - 0.5)


def test_schedulers__of_mmengine__scale_every_group():
    wrapper = build(Detector())
    base = [group['lr'] for group in wrapper.optimizer.param_groups]
    schedulers = [
        LinearLR(wrapper, start_factor=0.1, by_epoch=False, end=3),
        MultiStepLR(wrapper, milestones=[4], gamma=0.1, by_epoch=False),
    ]
    groups = wrapper.optimizer.param_groups
    assert [group['initial_lr'] for group in groups] == base
    for factor in (0.1, 0.55, 1.0, 1.0, 0.1):
        assert [g['lr'] for g in groups] == pytest.approx([factor * lr for lr in base])
        wrapper.step()
        for scheduler in schedulers:
            scheduler.step()
    # What mmengine logs as base_lr.
    assert wrapper.get_lr()['base_lr'] == pytest.approx([0.1])


def test_state__saved_and_loaded__continues_the_same(tmp_path):
    model = Detector()
    wrapper = build(model, lr=0.5)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    wrapper.step()
    torch.save(wrapper.state_dict(), tmp_path / 'optimizer.pth')
    other = Detector()
    loaded = build(other)
    loaded.load_state_dict(torch.load(tmp_path / 'optimizer.pth', weights_only=True))
    assert lrs(other, loaded) == lrs(model, wrapper)
    for name, parameter in other.named_parameters():
        mine = loaded.optimizer.state[parameter]['exp_avg']
        wanted = wrapper.optimizer.state[model.get_parameter(name)]['exp_avg']
        torch.testing.assert_close(mine, wanted)


def test_build__mmdet_detector_in_its_scope__has_a_group_per_layer():
    cfg = Config.fromfile(CONFIGS / 'demo/mask_rcnn_pe_nano.py')
    optim_wrapper = config(lr=1e-3, layer_decay_rate=0.9)
    cfg.merge_from_dict({'optim_wrapper': {'_delete_': True, **optim_wrapper}})
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        model = MODELS.build(cfg.model)
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    found = lrs(model, wrapper)
    assert found['backbone.blocks.0.norm1.weight'] == 1e-3 * 0.9**6
    assert {lr for name, lr in found.items() if 'backbone' not in name} == {1e-3}
    assert len(wrapper.optimizer.param_groups) == 8
