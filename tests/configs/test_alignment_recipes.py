"""Recipes of alignment and distillation: what the paper states, and what is trained."""

from pathlib import Path

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs/alignment'


@pytest.fixture(scope='module')
def published():
    return Config.fromfile(CONFIGS / 'pe_spatial_g_alignment.py')


def test_alignment_of_g__model__is_that_of_tables_22_and_23(published):
    model = published.model

    assert model.masking == dict(ratio=0.75, unit=2)
    assert model.backbone.drop_path_rate == 0.4
    assert model.teacher.variant == 'PE-Core-G14-448'
    assert model.teacher.out_indices + 1 == 41
    assert model.mask_teacher.checkpoint == 'facebook/sam2.1-hiera-large'
    assert model.mask_teacher.points_per_side**2 == 1024
    core, locality = model.losses.loss_core, model.losses.loss_locality
    assert core == dict(type='pe_mm.TokenCosineLoss', target='teacher', loss_weight=1.0)
    assert locality == dict(
        type='pe_mm.PairwiseSimilarityLoss',
        target='mask_teacher',
        temperature=20.0,
        loss_weight=1.0,
    )


def test_alignment_of_g__schedule_and_data__are_those_of_table_23(published):
    assert published.optim_wrapper.optimizer == dict(
        type='timm.optim.Lamb', lr=5e-4, betas=(0.9, 0.95), weight_decay=0.05
    )
    assert published.train_cfg.max_iters == 24_000
    assert published.auto_scale_lr.base_batch_size == 12_288
    assert [s.type for s in published.param_scheduler] == ['CosineAnnealingLR']
    (augmentation,) = published.train_dataloader.dataset.pipeline
    crop, color, flip = augmentation.transforms
    assert crop.size == 448
    assert crop.ratio == (0.75, 1.3333)
    assert color == dict(type='ColorJitter', brightness=0.32, saturation=0.32)
    assert flip.p == 0.5


def test_alignment_of_g__student__is_pe_spatial_with_layer_scale(
    published, build_on_meta
):
    model = build_on_meta(published)

    assert model.backbone.variant.name == 'PE-Spatial-G14-448'
    assert model.backbone.variant.layer_scale == 0.1
    assert len(model.teachers['teacher'].encoder.blocks) == 41


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.py')), ids=lambda p: p.stem)
def test_recipe__student_and_teacher__have_32_x_32_tokens(path):
    cfg = Config.fromfile(path)
    (augmentation,) = cfg.train_dataloader.dataset.pipeline
    variant = cfg.model.backbone.variant
    patch = 14 if 'L14' in str(variant) or 'G14' in str(variant) else 16
    patch = patch if isinstance(variant, str) else variant.patch_size

    assert augmentation.transforms[0].size == 32 * patch
    in_step = cfg.train_dataloader.batch_size
    updates = cfg.optim_wrapper.get('accumulative_counts', 1)
    assert in_step * updates == (512 if updates > 1 else 32)
    assert cfg.default_hooks.checkpoint.interval % updates == 0
    other_patch = patch == 16 and 'distillation' in path.stem
    assert cfg.model.get('teacher_grid', 'same') == (
        'resize_image' if other_patch else 'same'
    )
