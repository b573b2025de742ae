"""The protocols of configs/depth, value by value, and what each config changes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from config_checks import difference
from depth_data import write_nyu
from depth_models import samples
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from mmseg.registry import DATASETS, MODELS
from torch import nn

DEPTH = Path(__file__).parents[2] / 'configs' / 'depth'


def config(name):
    return Config.fromfile(DEPTH / f'{name}.py')


@pytest.mark.parametrize(
    ('name', 'reference', 'expected'),
    [
        (
            'linear_pe_spatial_l_nyu_dinov3',
            'linear_pe_spatial_g_nyu_dinov3',
            {
                'model.backbone.variant': 'PE-Spatial-L14-448',
                'model.decode_head.in_channels': 1024,
            },
        ),
        (
            'linear_pe_spatial_b_nyu_dinov3',
            'linear_pe_spatial_g_nyu_dinov3',
            {
                'model.backbone.variant': 'PE-Spatial-B16-512',
                'model.decode_head.in_channels': 768,
            },
        ),
        (
            'linear_pe_core_g_nyu_dinov3',
            'linear_pe_spatial_g_nyu_dinov3',
            {
                'model.backbone.variant': 'PE-Core-G14-448',
                'model.backbone.apply_final_norm': True,
            },
        ),
        (
            'linear_pe_spatial_g_4_layers_nyu_dinov3',
            'linear_pe_spatial_g_nyu_dinov3',
            {
                'model.backbone.out_indices': 'quarters',
                'model.decode_head.in_channels': [1536] * 4,
            },
        ),
        (
            'dpt_pe_spatial_g_layer46_nyu_pe_paper',
            'dpt_pe_spatial_g_nyu_pe_paper',
            {'model.backbone.out_indices': 45},
        ),
        (
            'dpt_pe_core_g_layer39_nyu_pe_paper',
            'dpt_pe_spatial_g_nyu_pe_paper',
            {
                'model.backbone.out_indices': 38,
                'model.backbone.variant': 'PE-Core-G14-448',
            },
        ),
        (
            'dpt_pe_spatial_g_4_layers_nyu_pe_paper',
            'dpt_pe_spatial_g_nyu_pe_paper',
            {
                'model.backbone.out_indices': 'quarters',
                'model.neck.in_channels': [1536] * 4,
            },
        ),
    ],
)
def test_config__against_the_one_it_inherits__changes_this_only(
    name, reference, expected
):
    found = difference(config(name).to_dict(), config(reference).to_dict())
    assert found == expected


@pytest.mark.parametrize(
    ('name', 'layers'),
    [
        ('linear_pe_spatial_g_nyu_dinov3', (49,)),
        ('linear_pe_spatial_g_4_layers_nyu_dinov3', (11, 24, 36, 49)),
        ('dpt_pe_spatial_g_layer46_nyu_pe_paper', (45,)),
        ('dpt_pe_core_g_layer39_nyu_pe_paper', (38,)),
        ('dpt_pe_spatial_g_4_layers_nyu_pe_paper', (11, 24, 36, 49)),
    ],
)
def test_encoder__any_config__is_frozen_and_ends_at_its_last_layer(
    name, layers, build_on_meta
):
    model = build_on_meta(config(name))

    assert model.backbone.out_indices == layers
    assert len(model.backbone.blocks) == layers[-1] + 1
    assert not any(p.requires_grad for p in model.backbone.parameters())
    assert all(p.requires_grad for p in model.decode_head.parameters())


def test_dpt__width__is_a_quarter_of_the_encoders_and_levels_grow_to_it(build_on_meta):
    model = build_on_meta(config('dpt_pe_spatial_g_nyu_pe_paper'))

    assert model.neck.out_channels == (192, 384, 768, 1536)
    assert model.decode_head.channels == 384
    assert len(model.decode_head.loss_decode) == 2


def dinov3_step(step, highest=3e-4, warm_up=12800, steps=38400):
    """DINOv3's learning rate and first beta, by the formulas of its scheduler."""
    falling = (1 + math.cos(math.pi * step / steps)) / 2
    if step < warm_up:
        return highest / 1000 + highest * falling * step / warm_up, 0.0
    falling = (1 + math.cos(math.pi * (step + 1) / steps)) / 2
    lowest = highest / 25000
    passed = (step - warm_up) / (steps - warm_up)
    beta = 0.95 - 0.1 * (1 + math.cos(math.pi * passed)) / 2
    return lowest + (highest - lowest) * falling, beta


def test_linear__schedule__is_dinov3s():
    cfg = config('linear_pe_spatial_g_nyu_dinov3')
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 16
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (38400, 1600)
    assert cfg.optim_wrapper.clip_grad.max_norm == 35
    wrapper = build_optim_wrapper(nn.Linear(2, 2), cfg.optim_wrapper)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler, optimizer=wrapper.optimizer))
        for scheduler in cfg.param_scheduler
    ]
    group = wrapper.optimizer.param_groups[0]
    rates, betas = [], []
    wrapper.optimizer.step()
    for _ in range(cfg.train_cfg.max_iters):
        rates.append(group['lr'])
        betas.append(group['betas'])
        for scheduler in schedulers:
            scheduler.step()

    wanted, momenta = zip(*map(dinov3_step, range(38400)), strict=True)
    assert rates[0] == pytest.approx(3e-7)
    assert np.argmax(rates) == 12800
    at = [12800, 20000, 30000]
    assert [rates[s] for s in at] == pytest.approx([2.25e-4, 1.40e-4, 3.4e-5], rel=0.01)
    # An iteration of the cosine is 1.2e-8 at most; a thousandth of 3e-4 is 3e-7.
    np.testing.assert_allclose(rates[12800:], wanted[12800:], rtol=0, atol=1.5e-8)
    np.testing.assert_allclose(rates, wanted, rtol=0, atol=3e-7 + 1.5e-8)
    np.testing.assert_allclose([b for b, _ in betas], momenta, rtol=0, atol=1e-9)
    assert {beta for _, beta in betas} == {0.99}
    assert group['lr'] == pytest.approx(3e-4 / 25000)
    assert group['weight_decay'] == 1e-4


@pytest.mark.parametrize(
    'name', ['linear_pe_spatial_g_nyu_dinov3', 'linear_pe_spatial_g_kitti_dinov3']
)
def test_linear__checkpoints__keep_the_best_of_all_validations(name):
    checkpoint = config(name).default_hooks.checkpoint

    assert (checkpoint.save_best, checkpoint.rule) == ('rmse', 'less')


def test_linear__head_and_test__are_dinov3s(build_on_meta):
    cfg = config('linear_pe_spatial_g_nyu_dinov3')
    head = build_on_meta(cfg).decode_head

    assert isinstance(head.norm, nn.SyncBatchNorm)
    assert head.conv_seg.weight.shape == (256, 1536, 1, 1)
    assert (head.depth_range.nearest, head.depth_range.farthest) == (1e-3, 10)
    assert (head.loss_decode.mean_weight, head.loss_decode.warm_iters) == (0.15, 100)
    assert cfg.model.test_cfg == dict(mode='whole', flip_test=True)
    metric = cfg.test_evaluator
    assert (metric.min_depth_eval, metric.max_depth_eval) == (1e-3, 10)
    assert metric.crop_type == 'nyu_crop'


def test_dpt__schedule__is_20_epochs_of_every_image_and_keeps_the_best():
    cfg = config('dpt_pe_spatial_g_nyu_pe_paper')

    assert cfg.train_cfg == dict(
        type='EpochBasedTrainLoop', max_epochs=20, val_interval=1
    )
    assert cfg.train_dataloader.sampler == dict(type='DefaultSampler', shuffle=True)
    checkpoint = cfg.default_hooks.checkpoint
    assert (checkpoint.save_best, checkpoint.rule) == ('rmse', 'less')


@pytest.fixture
def nyu(tmp_path):
    write_nyu(tmp_path)
    cfg = config('linear_pe_spatial_g_nyu_dinov3')
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(tmp_path)
    return cfg


def build(dataset):
    with DefaultScope.overwrite_default_scope('mmseg'):
        return DATASETS.build(dataset)


def test_nyu__test__is_the_whole_image_and_its_depth_in_metres(nyu):
    packed = build(nyu.test_dataloader.dataset)[0]
    depth = packed['data_samples'].gt_depth_map.data

    assert packed['inputs'].shape == (3, 480, 640)
    assert depth.shape == (1, 480, 640)
    assert 8.9 < depth.max() <= 9 and depth[depth > 0].min() >= 1


def test_nyu__train__has_crops_of_416_by_544_without_depth_where_they_are_turned_in(
    nyu,
):
    np.random.seed(0)
    dataset = build(nyu.train_dataloader.dataset)
    for index in range(8):
        packed = dataset[index % 2]
        image, depth = packed['inputs'], packed['data_samples'].gt_depth_map.data
        assert image.shape == (3, 416, 544)
        assert depth.shape == (1, 416, 544)
        # What was turned in from outside is black, and has no depth.
        black = (image == 0).all(0)
        assert not depth[0][black].any()
        assert depth.max() <= 9


def test_nyu__rotation__moves_depth_with_the_image(nyu):
    with DefaultScope.overwrite_default_scope('mmseg'):
        rotate = Compose([nyu.train_dataloader.dataset.pipeline[3]])
    transform = rotate.transforms[0]
    assert (transform.prob, transform.degree) == (0.5, (-2.5, 2.5))
    transform.prob = 1.0
    rows, columns = np.mgrid[:427, :565]
    inside = ((rows // 40 + columns // 40) % 2).astype(np.uint8)
    results = dict(
        img=np.repeat(inside[..., None] * 255, 3, axis=2),
        gt_depth_map=inside.astype(np.float32) * 5 + 1,
        seg_fields=['gt_depth_map'],
    )
    np.random.seed(1)
    turned = rotate(results)

    depth, grey = turned['gt_depth_map'], turned['img'][..., 0]
    assert set(np.unique(depth)) == {0, 1, 6}
    agree = (depth == 6) == (grey > 127)
    assert agree[depth > 0].mean() > 0.98
    assert (depth == 0).any()


def test_preprocessor__small_image__is_padded_with_what_is_no_depth(nyu):
    with DefaultScope.overwrite_default_scope('mmseg'):
        preprocessor = MODELS.build(nyu.model.data_preprocessor)
    depth = torch.rand(1, 1, 400, 500) + 1
    small = dict(
        inputs=[torch.zeros(3, 400, 500, dtype=torch.uint8)],
        data_samples=samples(depth),
    )

    batch = preprocessor(small, training=True)

    padded = batch['data_samples'][0].gt_depth_map.data
    assert batch['inputs'].shape[2:] == padded.shape[1:] == (416, 544)
    assert torch.equal(padded[:, :400, :500], depth[0])
    assert not padded[:, 400:].any() and not padded[:, :, 500:].any()
