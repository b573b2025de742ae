"""Blocks are sharded one by one; a sharded training equals a replicated one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import FUNCTIONS, MODELS
from torch import nn

ROOT = Path(__file__).parents[2]

FSDP = [
    'runner_type=FlexibleRunner',
    'strategy.type=FSDPStrategy',
    'strategy.state_dict_cfg=full',
    'strategy.model_wrapper.auto_wrap_policy=pe_mm.wrap_blocks',
    'env_cfg.dist_cfg.backend=gloo',
]


def test_wrap_blocks__encoder__wraps_its_blocks_alone():
    policy = FUNCTIONS.get('pe_mm.wrap_blocks')
    variant = dict(depth=2, width=16, heads=2, patch_size=8, image_size=16)
    encoder = MODELS.build(dict(type='pe_mm.PerceptionEncoder', variant=variant))

    wrapped = [
        name
        for name, module in encoder.named_modules()
        if policy(module, recurse=False, nonwrapped_numel=0)
    ]

    assert wrapped == ['blocks.0', 'blocks.1']
    assert policy(nn.Linear(1, 1), recurse=True, nonwrapped_numel=0)


def train(config, folder, *options, resume=False):
    """Train on two processes."""
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    # On a busy machine gloo has mixed up two of FSDP's collectives ("received data size
    # doesn't match", torch 2.13); torchrun's restart is what mends it for users too.
    command += ['--nproc-per-node', '2', '--max-restarts', '2', '-m', 'pe_mm', 'train']
    command += [str(config), '--work-dir', str(folder), *['--resume'] * resume]
    subprocess.run(
        # Where the mix-up leaves one process waiting, a minute ends it.
        [*command, '--cfg-options', 'env_cfg.dist_cfg.timeout=60', *options],
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join([str(ROOT / 'tests' / 'assets'), str(ROOT)]),
            'CUDA_VISIBLE_DEVICES': '',
        },
        check=True,
        timeout=300,
    )


@pytest.mark.slow
def test_fsdp__two_processes_and_resumed__equals_ddp(tiny_config, tmp_path):
    train(tiny_config, tmp_path / 'replicated')
    train(tiny_config, tmp_path / 'sharded', *FSDP, 'train_cfg.max_epochs=1')
    train(tiny_config, tmp_path / 'sharded', *FSDP, resume=True)

    replicated, sharded = (
        torch.load(tmp_path / name / 'epoch_2.pth', weights_only=True)['state_dict']
        for name in ('replicated', 'sharded')
    )
    assert replicated.keys() == sharded.keys()
    for name, value in replicated.items():
        torch.testing.assert_close(sharded[name], value, rtol=1e-5, atol=1e-7)
