"""Cascade, DINO and Mask2Former differ from their sources where they say so only."""

from pathlib import Path

import mmdet
import pytest
import torch
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs' / 'detection'
MMDET_CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'


def ours(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def theirs(name):
    return Config.fromfile(MMDET_CONFIGS / f'{name}.py')


def images_per_update(cfg):
    return cfg.train_dataloader.batch_size * cfg.optim_wrapper.accumulative_counts


def test_dino__model__is_mmdets_but_for_encoder_and_neck():
    cfg, source = (
        ours('dino_pe_spatial_l_coco').model,
        theirs('dino/dino-4scale_r50_8xb2-12e_coco').model,
    )

    assert cfg.keys() == source.keys()
    for key in cfg.keys() - {
        'backbone',
        'neck',
        'data_preprocessor',
        'encoder',
        'decoder',
    }:
        assert cfg[key] == source[key], key
    # Theirs leaves the default of four levels unsaid in places.
    for key in ('encoder', 'decoder'):
        assert cfg[key].num_layers == source[key].num_layers == 6
        assert cfg[key].layer_cfg == source[key].layer_cfg
    assert cfg.neck.num_outs == source.neck.num_outs == 4


@pytest.mark.parametrize('name', ['dino_pe_spatial_l_coco', 'dino_pe_spatial_b_coco'])
def test_dino__levels__cover_exactly_the_padded_image(name, build_on_meta):
    cfg = ours(name)
    divisor = cfg.model.data_preprocessor.pad_size_divisor
    model = build_on_meta(cfg)
    patch = model.backbone.patch_size
    assert patch == model.backbone.variant.patch_size

    for blocks in (1, 3, 5):
        grid = divisor * blocks // patch
        (channels,) = model.backbone.out_channels
        levels = model.neck([torch.zeros(1, channels, grid, grid, device='meta')])
        strides = [divisor * blocks / level.shape[-1] for level in levels]
        assert strides == [patch / 2, patch, patch * 2, patch * 4]


def test_dino__schedule__is_mmdets_in_images_and_epochs():
    source = theirs('dino/dino-4scale_r50_8xb2-12e_coco')
    for name in ('dino_pe_spatial_l_coco', 'dino_pe_spatial_b_coco'):
        cfg = ours(name)
        assert images_per_update(cfg) == source.auto_scale_lr.base_batch_size == 16
        assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size
        assert cfg.train_cfg.max_epochs == source.train_cfg.max_epochs
        assert cfg.param_scheduler[0].milestones == source.param_scheduler[0].milestones
        assert cfg.optim_wrapper.optimizer == source.optim_wrapper.optimizer
        assert cfg.optim_wrapper.clip_grad == source.optim_wrapper.clip_grad
        pipeline = cfg.train_dataloader.dataset.pipeline
        known = source.train_dataloader.dataset.pipeline
        assert [t.type for t in pipeline] == [t.type for t in known]
        assert pipeline[3] == known[3]  # the choice of resizes and crops


@pytest.mark.parametrize(
    ('name', 'source', 'classes'),
    [
        ('instance', 'mask2former_r50_8xb2-lsj-50e_coco', (80, 0)),
        ('panoptic', 'mask2former_r50_8xb2-lsj-50e_coco-panoptic', (80, 53)),
    ],
)
def test_mask2former__head_and_schedule__are_mmdets(name, source, classes):
    cfg = ours(f'mask2former_pe_spatial_l_coco_{name}')
    source = theirs(f'mask2former/{source}')
    head, known = cfg.model.panoptic_head, source.model.panoptic_head

    assert (head.num_things_classes, head.num_stuff_classes) == classes
    assert head.pixel_decoder.pop('strides') == head.strides == known.strides
    assert head.pop('in_channels') == [256] * 4
    known.pop('in_channels')
    assert head == known
    for key in ('panoptic_fusion_head', 'train_cfg', 'test_cfg'):
        assert cfg.model[key] == source.model[key], key
    steps = cfg.optim_wrapper.accumulative_counts
    assert images_per_update(cfg) == source.auto_scale_lr.base_batch_size == 16
    # mmengine scales by the images of a step.
    assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size
    assert cfg.train_cfg.max_iters == source.train_cfg.max_iters * steps
    milestones = source.param_scheduler.milestones
    assert cfg.param_scheduler.milestones == [m * steps for m in milestones]
    optimizer = dict(cfg.optim_wrapper.optimizer, eps=1e-8)
    assert optimizer == source.optim_wrapper.optimizer
    assert cfg.optim_wrapper.clip_grad == source.optim_wrapper.clip_grad


def test_cascade__stages__are_vitdets():
    cfg = ours('cascade_mask_rcnn_pe_spatial_l_coco')
    plain = ours('mask_rcnn_pe_spatial_l_coco')
    heads, single = cfg.model.roi_head.bbox_head, plain.model.roi_head.bbox_head

    weights = [[1 / std for std in head.bbox_coder.target_stds] for head in heads]
    assert weights == [pytest.approx([10 * n, 10 * n, 5 * n, 5 * n]) for n in (1, 2, 3)]
    for head, stage, iou in zip(
        heads, cfg.model.train_cfg.rcnn, (0.5, 0.6, 0.7), strict=True
    ):
        assert head.reg_class_agnostic and not single.reg_class_agnostic
        changed = dict(reg_class_agnostic=False, bbox_coder=single.bbox_coder)
        assert {**head, **changed} == single
        assigner = stage.assigner
        assert assigner.pos_iou_thr == assigner.neg_iou_thr == iou
        assert not assigner.match_low_quality
        assert stage.sampler == plain.model.train_cfg.rcnn.sampler
    for part in ('backbone', 'neck', 'rpn_head', 'data_preprocessor', 'test_cfg'):
        assert cfg.model[part] == plain.model[part]
    for part in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'train_dataloader'):
        assert cfg[part] == plain[part]
