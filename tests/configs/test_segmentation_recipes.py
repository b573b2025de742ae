"""The recipes of configs/segmentation, value by value against their protocols."""

import math
from pathlib import Path

import mmseg
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.registry import HOOKS
from mmseg.registry import DATASETS

from pe_mm.variants import resolve_variant

CONFIGS = Path(__file__).parents[2] / 'configs/segmentation'
MMSEG_CONFIGS = Path(mmseg.__file__).parent / '.mim/configs'
LEAVES = sorted(path.stem for path in CONFIGS.glob('*.py'))
LINEAR = [name for name in LEAVES if name.startswith('linear')]
PAPERS = [name for name in LEAVES if name.endswith('_pe_paper')]
DINOV3 = [name for name in LEAVES if name.endswith('_dinov3')]


def ours(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def steps(pipeline):
    return {transform.type: transform for transform in pipeline}


def training_sets(cfg):
    dataset = cfg.train_dataloader.dataset
    return dataset.datasets if dataset.type == 'ConcatDataset' else [dataset]


@pytest.mark.parametrize('name', LEAVES)
def test_sizes__crops_windows_and_padding__are_whole_patches(name, build_on_meta):
    cfg = ours(name)
    model = build_on_meta(cfg)
    preprocessor = cfg.model.data_preprocessor
    (height, width), patch = preprocessor.size, model.backbone.patch_size

    coarsest = patch * (1 if name.startswith('linear') else 2)
    assert height == width and height % coarsest == 0
    for dataset in training_sets(cfg):
        transforms = steps(dataset.pipeline)
        assert transforms['RandomCrop'].crop_size == (height, width)
        assert transforms['RandomResize'].scale == (4 * height, height)
        assert dataset.pipeline[2:] == training_sets(cfg)[0].pipeline[2:]
    test = steps(cfg.test_dataloader.dataset.pipeline)
    assert test['Resize'].scale == (4 * height, height)
    if cfg.model.test_cfg.mode == 'slide':
        assert preprocessor.test_cfg == dict(size=(height, width))
        assert cfg.model.test_cfg.crop_size == (height, width)
        assert cfg.model.test_cfg.stride == (2 * height // 3,) * 2
    else:
        assert name.startswith('mask2former')
        assert preprocessor.test_cfg == dict(size_divisor=coarsest)


@pytest.mark.parametrize('name', LEAVES)
def test_classes__model_and_data__agree(name):
    cfg = ours(name)
    dataset = DATASETS.get(cfg.test_dataloader.dataset.type)

    heads = [cfg.model.decode_head, cfg.model.get('auxiliary_head')]
    counts = {head.num_classes for head in heads if head is not None}
    assert counts == {len(dataset.METAINFO['classes'])}
    assert {part.type for part in training_sets(cfg)} == {
        cfg.test_dataloader.dataset.type
    }
    assert cfg.model.data_preprocessor.seg_pad_val == 255


@pytest.mark.parametrize('name', LEAVES)
def test_images__every_recipe__are_normalised_and_16_an_iteration(name):
    cfg = ours(name)
    preprocessor = cfg.model.data_preprocessor

    assert preprocessor.mean == preprocessor.std == [127.5] * 3
    assert preprocessor.bgr_to_rgb
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=16)
    gpus = 1 if name.startswith('linear') else 8
    assert cfg.train_dataloader.batch_size * gpus == 16
    assert 'custom_imports' not in cfg
    assert cfg.model.backbone.pretrained


@pytest.mark.parametrize('name', LINEAR)
def test_probe__encoder__is_frozen_and_ends_at_its_layer(name, build_on_meta):
    model = build_on_meta(ours(name))
    encoder = model.backbone

    trained = {n.split('.')[0] for n, p in model.named_parameters() if p.requires_grad}
    assert trained == ({'neck', 'decode_head'} if 'mix' in name else {'decode_head'})
    last = 43 if 'layer44' in name else encoder.variant.depth - 1
    assert encoder.out_indices[-1] == last == len(encoder.blocks) - 1
    assert ('mix' in name) == (len(encoder.out_indices) > 1)
    _, _, family, size, *_ = name.split('_')
    assert encoder.variant.name.startswith(f'PE-{family.title()}-{size.upper()}')
    assert encoder.apply_final_norm == (name == 'linear_pe_core_g_ade20k_dinov3')


@pytest.mark.parametrize('name', DINOV3)
def test_dinov3__protocol__is_as_published(name):
    cfg = ours(name)
    head, transforms = cfg.model.decode_head, training_sets(cfg)[0].pipeline
    patch = resolve_variant(cfg.model.backbone.variant).patch_size
    side = {14: 448, 16: 512}[patch]

    assert (side // patch) ** 2 == 1024
    assert cfg.model.data_preprocessor.size == (side, side)
    assert cfg.model.test_cfg.stride == ((341, 341) if side == 512 else (298, 298))
    assert [t.type for t in transforms] == [
        'LoadImageFromFile',
        'LoadAnnotations',
        'RandomResize',
        'RandomCrop',
        'RandomFlip',
        'PhotoMetricDistortion',
        'PackSegInputs',
    ]
    assert transforms[2].ratio_range == (0.5, 2.0)
    assert transforms[2].backend == 'pillow'
    assert transforms[3].cat_max_ratio == 0.75
    assert transforms[4].prob == 0.5
    assert (head.norm_cfg, head.dropout_ratio) == (dict(type='SyncBN'), 0.1)
    assert 'projection_channels' not in head
    assert cfg.train_cfg.max_iters == 40000
    assert cfg.train_cfg.val_interval == 5000
    assert cfg.optim_wrapper == dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-3),
    )


@pytest.mark.parametrize('name', LINEAR)
def test_probe__checkpoints__keep_the_best_of_all_validations(name):
    cfg = ours(name)
    hook = HOOKS.build(cfg.default_hooks.checkpoint)

    assert hook.key_indicators == ['mIoU']
    assert hook.is_better_than['mIoU'](50.0, 49.0)
    assert hook.max_keep_ckpts == 2
    assert cfg.train_cfg.max_iters % cfg.train_cfg.val_interval == 0


def dinov3_rate(step):
    """DINOv3's learning rate as a part of the highest (warm-up, then one cycle)."""
    if step < 1500:
        ramp = 1e-6 + (1 - 1e-6) * step / 1500
        return ramp * (1 - step / 40000)
    return (1 + math.cos(math.pi * (step + 1) / 40000)) / 2


def test_linear_probe__learning_rate__is_dinov3s():
    schedulers = ours('linear_pe_spatial_b_ade20k_dinov3').param_scheduler
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    kinds = dict(LinearLR=LinearLR, CosineAnnealingLR=CosineAnnealingLR)
    built = [kinds[cfg.pop('type')](optimizer, **cfg) for cfg in map(dict, schedulers)]

    rates = []
    for _ in range(40000):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in built:
            scheduler.step()

    wanted = [dinov3_rate(step) for step in range(40000)]
    assert rates[0] == pytest.approx(1e-6)
    assert rates[1:1500] == pytest.approx(wanted[1:1500], rel=0.04)
    assert rates[1500:] == pytest.approx(wanted[1500:], abs=1e-4)


@pytest.mark.parametrize('name', PAPERS)
def test_pe_paper__protocol__differs_from_dinov3s_where_it_says(name):
    twin = name.replace('_pe_paper', '_dinov3')
    cfg, other = ours(name), ours(twin)

    assert cfg.model.decode_head == {
        **other.model.decode_head,
        'projection_channels': 512,
        'dropout_ratio': 0.0,
    }
    assert cfg.model.backbone == other.model.backbone
    assert cfg.optim_wrapper == other.optim_wrapper
    assert cfg.param_scheduler == other.param_scheduler
    side = 518 if other.model.data_preprocessor.size == (448, 448) else 512
    assert cfg.model.data_preprocessor.size == (side, side)


def test_linear__other_sizes__change_the_encoder_only():
    for protocol in ('dinov3', 'pe_paper'):
        for base, others in (('b', 'st'), ('g', 'l')):
            cfg = ours(f'linear_pe_spatial_{base}_ade20k_{protocol}').to_dict()
            for size in others:
                other = ours(f'linear_pe_spatial_{size}_ade20k_{protocol}').to_dict()
                other['model']['backbone']['variant'] = cfg['model']['backbone'][
                    'variant'
                ]
                other['model']['decode_head']['in_channels'] = cfg['model'][
                    'decode_head'
                ]['in_channels']
                assert other == cfg


def test_mask2former__head_and_schedule__are_mmsegs():
    cfg = ours('mask2former_pe_spatial_b_ade20k')
    source = Config.fromfile(
        MMSEG_CONFIGS / 'mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py'
    )
    head, known = cfg.model.decode_head, source.model.decode_head

    assert head.pixel_decoder.pop('strides') == head.strides == known.strides
    assert head.pop('in_channels') == [256] * 4
    known.pop('in_channels')
    for part in (head, known):  # What mmcv takes by default.
        attention = part.pixel_decoder.encoder.layer_cfg.self_attn_cfg
        for key in ('im2col_step', 'norm_cfg', 'init_cfg'):
            attention.pop(key, None)
        part.pixel_decoder.pop('init_cfg', None)
        part.pixel_decoder.encoder.pop('init_cfg', None)
        layer = part.transformer_decoder.layer_cfg
        for attention in (layer.self_attn_cfg, layer.cross_attn_cfg):
            for key in ('attn_drop', 'proj_drop', 'dropout'):
                assert attention.pop(key, 0.0) == 0.0
            assert attention.pop('dropout_layer', None) is None
        assert layer.ffn_cfg.pop('dropout_layer', None) is None
        assert layer.ffn_cfg.pop('add_identity', True)
    assert head == known
    assert cfg.train_cfg.max_iters == source.train_cfg.max_iters
    assert cfg.param_scheduler == source.param_scheduler[0]
    optimizer = dict(cfg.optim_wrapper.optimizer, eps=1e-8)
    assert optimizer == source.optim_wrapper.optimizer
    assert cfg.optim_wrapper.clip_grad == source.optim_wrapper.clip_grad


def test_upernet__schedule__is_mmsegs_for_mae():
    cfg = ours('upernet_pe_spatial_b_ade20k')
    source = Config.fromfile(
        MMSEG_CONFIGS / 'mae/mae-base_upernet_8xb2-amp-160k_ade20k-512x512.py'
    )

    assert cfg.optim_wrapper.optimizer == source.optim_wrapper.optimizer
    assert cfg.param_scheduler == source.param_scheduler
    assert cfg.train_cfg.max_iters == source.train_cfg.max_iters
    assert cfg.model.test_cfg == source.model.test_cfg
    assert cfg.train_dataloader.batch_size == source.train_dataloader.batch_size
    head, known = cfg.model.decode_head, source.model.decode_head
    assert {**head, 'in_channels': 0, 'channels': 0, 'norm_cfg': 0} == {
        **known,
        'in_channels': 0,
        'channels': 0,
        'norm_cfg': 0,
    }


@pytest.mark.parametrize('name', ['upernet', 'mask2former'])
def test_large__against_base__has_its_size_and_its_decay(name):
    base, large = (ours(f'{name}_pe_spatial_{size}_ade20k') for size in 'bl')

    assert base.optim_wrapper.paramwise_cfg.layer_decay_rate == 0.7
    assert large.optim_wrapper.paramwise_cfg.layer_decay_rate == 0.8
    assert base.model.backbone.drop_path_rate == 0.1
    assert large.model.backbone == {
        **base.model.backbone,
        'variant': 'PE-Spatial-L14-448',
        'patch_size': 16,
        'drop_path_rate': 0.4,
        'with_cp': True,
    }
    assert large.model.data_preprocessor.size == (640, 640)
    assert large.param_scheduler == base.param_scheduler


def readme_examples():
    text = (CONFIGS / 'README.md').read_text()
    return [block.split('```')[0] for block in text.split('```python\n')[1:]]


@pytest.mark.parametrize('example', readme_examples())
def test_readme__example__builds_and_its_parts_fit(example, tmp_path, build_on_meta):
    path = tmp_path / 'example.py'
    path.write_text(example.replace("'./", f"'{CONFIGS}/"))
    model = build_on_meta(Config.fromfile(path)).eval()

    maps = [torch.zeros(1, c, 4, 4, device='meta') for c in model.backbone.out_channels]
    levels = model.neck(maps) if model.with_neck else maps
    assert len(maps) == 4
    assert model.decode_head(levels).shape == (1, 150, 4, 4)
