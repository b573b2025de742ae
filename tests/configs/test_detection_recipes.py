"""The smaller detectors and the frozen probe of configs/detection, value by value."""

import pytest
from config_checks import difference
from mmengine.optim import build_optim_wrapper


def global_blocks(encoder):
    return [i for i, windowed in enumerate(encoder.windowed) if not windowed]


def test_large__against_metas_g__changes_what_its_docstring_says(mask_rcnn_config):
    found = difference(
        mask_rcnn_config('spatial_l_coco').to_dict(),
        mask_rcnn_config('spatial_g_coco_36e').to_dict(),
    )

    # One learning rate schedule, in steps instead of updates.
    assert found.pop('param_scheduler')
    assert found == {
        'model.backbone.variant': 'PE-Spatial-L14-448',
        'model.backbone.global_blocks': 'quarters',
        'model.backbone.drop_path_rate': 0.4,
        'model.neck.in_channels': 1024,
        'optim_wrapper.optimizer.lr': 1e-4,
        'optim_wrapper.paramwise_cfg.layer_decay_rate': 0.8,
        'optim_wrapper.accumulative_counts': 8,
        'train_dataloader.batch_size': 8,
        'max_iters': 531000,
        'train_cfg.max_iters': 531000,
        'train_cfg.val_interval': 40000,
        'steps_per_update': 8,
        'auto_scale_lr.base_batch_size': 8,
    }


@pytest.mark.parametrize(
    ('name', 'reference', 'expected'),
    [
        (
            'spatial_b_coco',
            'spatial_l_coco',
            {
                'model.backbone.variant': 'PE-Spatial-B16-512',
                'model.backbone.drop_path_rate': 0.1,
                'model.neck.in_channels': 768,
                'optim_wrapper.paramwise_cfg.layer_decay_rate': 0.7,
            },
        ),
        (
            'spatial_s_coco',
            'spatial_b_coco',
            {
                'model.backbone.variant': 'PE-Spatial-S16-512',
                'model.backbone.with_cp': False,
                'model.neck.in_channels': 384,
            },
        ),
        (
            'spatial_t_coco',
            'spatial_s_coco',
            {
                'model.backbone.variant': 'PE-Spatial-T16-512',
                'model.backbone.drop_path_rate': 0.0,
                'model.neck.in_channels': 192,
            },
        ),
        (
            'spatial_g_lvis_75e',
            'core_g_lvis_75e',
            {'model.backbone.variant': 'PE-Spatial-G14-448'},
        ),
        (
            'spatial_g_frozen_coco_15e',
            'core_g_frozen_coco_15e',
            {
                'model.backbone.variant': 'PE-Spatial-G14-448',
                'model.backbone.out_indices': 'last',
            },
        ),
    ],
)
def test_config__against_the_one_it_inherits__changes_this_only(
    mask_rcnn_config, name, reference, expected
):
    found = difference(
        mask_rcnn_config(name).to_dict(), mask_rcnn_config(reference).to_dict()
    )

    assert found == expected


def test_one_gpu__schedule__is_that_of_36_epochs_with_8_steps_for_an_update(
    mask_rcnn_config,
):
    steps, updates = (
        mask_rcnn_config('spatial_b_coco'),
        mask_rcnn_config('spatial_g_coco_36e'),
    )

    assert steps.train_dataloader.batch_size * 8 == 64
    assert steps.train_cfg.max_iters == 8 * updates.train_cfg.max_iters
    warm_up, decay = steps.param_scheduler
    warm_up_of_updates, decay_of_updates = updates.param_scheduler
    assert warm_up.pop('end') - 1 == 8 * (warm_up_of_updates.pop('end') - 1)
    assert warm_up == warm_up_of_updates
    assert decay.pop('end') == 8 * decay_of_updates.pop('end')
    assert decay.pop('milestones') == [
        8 * m for m in decay_of_updates.pop('milestones')
    ]
    assert decay == decay_of_updates


@pytest.mark.parametrize(
    ('name', 'blocks', 'grid', 'patch'),
    [
        ('spatial_l_coco', [5, 11, 17, 23], 32, 16),
        ('spatial_b_coco', [2, 5, 8, 11], 32, 16),
        ('spatial_s_coco', [2, 5, 8, 11], 32, 16),
        ('spatial_t_coco', [2, 5, 8, 11], 32, 16),
    ],
)
def test_encoder__smaller_size__is_global_at_quarters_and_windowed_by_its_grid(
    mask_rcnn_config, build_on_meta, name, blocks, grid, patch
):
    encoder = build_on_meta(mask_rcnn_config(name)).backbone

    assert global_blocks(encoder) == blocks
    assert encoder.window_size == encoder.variant.grid_size == grid
    assert encoder.rope_reference_size == grid
    assert encoder.patch_size == patch


@pytest.mark.parametrize(
    ('name', 'layers'), [('core_g_frozen', 39), ('spatial_g_frozen', 50)]
)
def test_probe__encoder__is_frozen_windowed_and_ends_at_its_layer(
    mask_rcnn_config, build_on_meta, name, layers
):
    cfg = mask_rcnn_config(f'{name}_coco_15e')
    model = build_on_meta(cfg)
    encoder = model.backbone

    assert len(encoder.blocks) == layers
    assert encoder.out_indices == (layers - 1,)
    assert global_blocks(encoder) == []
    assert (encoder.window_size, encoder.patch_size) == (32, 16)
    assert encoder.position_embedding == 'tile'
    assert cfg.model.backbone.drop_path_rate == 0
    trained = {n.split('.')[0] for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {'neck', 'rpn_head', 'roi_head'}
    assert not any(p.requires_grad for p in encoder.parameters())


def test_probe__schedule__is_15_epochs_of_heads_at_one_rate(
    mask_rcnn_config, build_on_meta
):
    cfg = mask_rcnn_config('core_g_frozen_coco_15e')
    kept = ('constructor', 'paramwise_cfg', 'optimizer')
    wrapper = build_optim_wrapper(
        build_on_meta(cfg), {key: cfg.optim_wrapper[key] for key in kept}
    )

    assert [group['lr'] for group in wrapper.optimizer.param_groups] == [1e-4]
    assert cfg.auto_scale_lr.base_batch_size == 64
    assert cfg.train_cfg.max_iters == int(0.15 * 184375) == 27656
    assert cfg.param_scheduler[1].milestones == [24583, 26631]
    assert cfg.param_scheduler[0].end - 1 == 38  # 37.5 with Meta's proportion
