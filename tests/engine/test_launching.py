"""Changes that `pe-mm train` makes to a config before it builds the runner."""

import pytest
import torch
from mmengine.config import Config

from pe_mm import compat
from pe_mm.engine import SkippedSamplesHook
from pe_mm.engine.launching import (
    build_runner,
    enable_amp,
    save_checkpoints_safely,
)


def checkpoint_hook(**config):
    cfg = Config(config)
    save_checkpoints_safely(cfg)
    return cfg.default_hooks.checkpoint


def test_save_checkpoints_safely__mmengines_hook__keeps_its_arguments():
    hook = {'type': 'CheckpointHook', 'interval': 5, 'save_best': 'mAP'}

    assert checkpoint_hook(default_hooks={'checkpoint': hook}) == {
        'type': 'pe_mm.SafeCheckpointHook',
        'interval': 5,
        'save_best': 'mAP',
    }


def test_save_checkpoints_safely__no_hooks__is_mmengines_default():
    hook = checkpoint_hook(work_dir='x')

    assert hook == {'type': 'pe_mm.SafeCheckpointHook', 'interval': 1}


@pytest.mark.parametrize('hook', [None, {'type': 'OthersHook'}])
def test_save_checkpoints_safely__other_hook__is_left_alone(hook):
    assert checkpoint_hook(default_hooks={'checkpoint': hook}) == hook


def test_enable_amp__special_wrapper__is_an_error():
    cfg = Config({'optim_wrapper': {'type': 'OthersWrapper'}})

    with pytest.raises(ValueError, match="not 'OthersWrapper'"):
        enable_amp(cfg)


def test_enable_amp__gpu__switches_the_wrapper(monkeypatch):
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cuda')
    cfg = Config({'optim_wrapper': {'optimizer': {'type': 'AdamW'}}})

    enable_amp(cfg)

    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'


@pytest.fixture
def started(monkeypatch):
    """Record the process groups that are started, instead of starting them."""
    calls = []
    monkeypatch.setattr(
        torch.distributed, 'init_process_group', lambda *a, **k: calls.append((a, k))
    )
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cpu')
    return calls


def test_prepare_cpu_distributed__torchrun__starts_gloo_without_device_ids(started):
    cfg = Config({'launcher': 'pytorch', 'find_unused_parameters': True})

    assert compat.prepare_cpu_distributed(cfg)

    assert started[0][0] == ('gloo',)
    assert cfg.model_wrapper_cfg == {
        'type': 'MMDistributedDataParallel',
        'broadcast_buffers': False,
        'find_unused_parameters': True,
        'device_ids': None,
    }


def test_prepare_cpu_distributed__sync_bn__becomes_bn(started):
    norm = {'type': 'SyncBN', 'requires_grad': True}
    heads = [{'norm_cfg': dict(norm)}, {'norm_cfg': {'type': 'GN'}}]
    cfg = Config({'launcher': 'pytorch', 'model': {'norm_cfg': norm, 'heads': heads}})

    compat.prepare_cpu_distributed(cfg)

    assert cfg.model.norm_cfg == {'type': 'BN', 'requires_grad': True}
    assert [head.norm_cfg.type for head in cfg.model.heads] == ['BN', 'GN']


def test_prepare_cpu_distributed__single_process__changes_nothing(started):
    cfg = Config({'launcher': 'none'})

    assert not compat.prepare_cpu_distributed(cfg)
    assert started == []
    assert 'model_wrapper_cfg' not in cfg


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('FSDPStrategy', {'type': 'MMFullyShardedDataParallel', 'device_id': 'cpu'}),
        ('DDPStrategy', {'type': 'MMDistributedDataParallel', 'device_ids': None}),
    ],
)
def test_prepare_cpu_distributed__strategy__has_no_number_of_a_gpu(
    started, kind, expected
):
    strategy = {'type': kind, 'state_dict_cfg': 'full', 'model_wrapper': {'extra': 1}}
    cfg = Config({'launcher': 'pytorch', 'strategy': strategy})

    compat.prepare_cpu_distributed(cfg)

    assert cfg.strategy.model_wrapper == {**expected, 'extra': 1}


def test_build_runner__flexible_runner_and_a_hook_of_the_config__builds_and_keeps_it(
    tiny_config, tmp_path
):
    cfg = Config.fromfile(tiny_config)
    cfg.work_dir = str(tmp_path / 'run')
    cfg.runner_type = 'FlexibleRunner'
    cfg.custom_hooks.append(dict(type='pe_mm.SkippedSamplesHook', interval=3))

    runner = build_runner(cfg)

    hooks = [type(hook).__name__ for hook in runner.hooks]
    assert hooks.count('SkippedSamplesHook') == hooks.count('FiniteLossHook') == 1
    assert [h.interval for h in runner.hooks if type(h) is SkippedSamplesHook] == [3]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({}, "set strategy.state_dict_cfg='full'"),
        (
            {'optim_wrapper': {'optimizer': {'type': 'timm.optim.Lamb'}}},
            'timm.optim.Lamb needs each weight as a whole.*use AdamW, or leave',
        ),
        (
            {'optim_wrapper': {'clip_grad': {'max_norm': 1.0}}},
            'which differs between them; set optim_wrapper.clip_grad=None',
        ),
        (
            {'model': {'type': 'pe_mm.ImageTextModel'}},
            'ImageTextModel has one number as a parameter, logit_scale',
        ),
    ],
)
def test_build_runner__fsdp_that_cannot_be__says_what_to_set(settings, message):
    cfg = Config({'strategy': {'type': 'FSDPStrategy'}, **settings})

    with pytest.raises(ValueError, match=message):
        build_runner(cfg)
