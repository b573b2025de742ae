"""Blocks are sharded one by one; a sharded training equals a replicated one."""

import pytest
import torch
from alignment_models import STUDENT, TEACHER, config, encoder
from mmengine.config import Config
from mmengine.registry import FUNCTIONS, MODELS
from torch import nn
from torchrun import FSDP, train_on_two_processes


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


@pytest.mark.slow
def test_fsdp__two_processes_and_resumed__equals_ddp(tiny_config, tmp_path):
    train_on_two_processes(tiny_config, tmp_path / 'replicated')
    one_epoch = 'train_cfg.max_epochs=1'
    train_on_two_processes(tiny_config, tmp_path / 'sharded', *FSDP, one_epoch)
    train_on_two_processes(tiny_config, tmp_path / 'sharded', *FSDP, resume=True)

    assert_equal_trainings(tmp_path)


@pytest.mark.slow
def test_fsdp__aligner_with_frozen_teacher__equals_ddp(tiny_config, tmp_path):
    teacher = encoder(TEACHER, out_indices=0)
    torch.save(MODELS.build(teacher).state_dict(), tmp_path / 'core.pth')
    weights = dict(type='Pretrained', checkpoint=str(tmp_path / 'core.pth'))
    cfg = Config.fromfile(tiny_config)
    cfg.model = config(
        backbone=encoder(STUDENT, with_mask_token=True, drop_path_rate=0.4),
        teacher={**teacher, 'init_cfg': weights},
        mask_teacher=None,
        losses=dict(
            loss_core=dict(type='pe_mm.TokenCosineLoss', target='teacher'),
            loss_pairs=dict(type='pe_mm.PairwiseSimilarityLoss', target='teacher'),
        ),
        data_preprocessor=dict(type='pe_mm.ImageTextPreprocessor'),
    )
    cfg.custom_imports = None
    # As configs/alignment/README.md says.
    decays = dict(layer_decay_rate=1.0, norm_decay_mult=0.0, bias_decay_mult=0.0)
    cfg.optim_wrapper.update(
        constructor='pe_mm.LayerDecayOptimWrapperConstructor',
        paramwise_cfg=dict(encoder_no_weight_decay=True, **decays),
        optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.05),
    )
    aligner_config = tmp_path / f'aligner_{tmp_path.name}.py'
    cfg.dump(aligner_config)

    train_on_two_processes(aligner_config, tmp_path / 'replicated')
    own = 'strategy.model_wrapper.use_orig_params=True'
    train_on_two_processes(aligner_config, tmp_path / 'sharded', *FSDP, own)

    assert_equal_trainings(tmp_path)


def assert_equal_trainings(folder):
    """Compare the weights at the end, which must not be those of the beginning."""
    first = torch.load(folder / 'replicated' / 'epoch_1.pth', weights_only=True)
    replicated, sharded = (
        torch.load(folder / name / 'epoch_2.pth', weights_only=True)['state_dict']
        for name in ('replicated', 'sharded')
    )
    assert replicated.keys() == sharded.keys()
    for name, value in replicated.items():
        assert not torch.equal(value, first['state_dict'][name]), name
        torch.testing.assert_close(sharded[name], value, rtol=1e-5, atol=1e-7)
