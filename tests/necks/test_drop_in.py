"""The necks inside configs of mmdet's and mmseg's own, at patch 14 and 16."""

from pathlib import Path

import mmdet
import mmseg
import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

ENCODER = dict(type='pe_mm.PerceptionEncoder', _delete_=True)
VARIANT = dict(depth=4, width=32, heads=2, image_size=112)
SIMPLE = dict(
    type='pe_mm.SimpleFeaturePyramid', in_channels=32, out_channels=256, num_outs=5
)
MULTI = dict(SIMPLE, type='pe_mm.MultiLayerPyramid', in_channels=[32] * 4)
MIXED = dict(
    type='pe_mm.SequentialNeck',
    necks=[dict(type='pe_mm.LayerMix', in_channels=[32] * 4), SIMPLE],
)
NECKS = {'simple': (SIMPLE, 'last'), 'multi': (MULTI, 'all'), 'mixed': (MIXED, 'all')}


def encoder(patch_size, layers):
    variant = dict(VARIANT, patch_size=patch_size)
    return dict(ENCODER, variant=variant, out_indices=layers)


def build(package, base, model, tmp_path):
    """Build a config of an installed package with parts of its model replaced."""
    path = Path(package.__file__).parent / '.mim' / 'configs' / base
    (tmp_path / 'child.py').write_text(f'_base_ = {str(path)!r}\nmodel = {model!r}\n')
    cfg = Config.fromfile(tmp_path / 'child.py')
    with DefaultScope.overwrite_default_scope(package.__name__):
        return MODELS.build(cfg.model)


def detector(patch_size, neck, tmp_path):
    neck, layers = NECKS[neck]
    strides = [patch_size / scale for scale in (4, 2, 1, 0.5, 0.25)]
    model = dict(
        backbone=encoder(patch_size, layers),
        neck=dict(neck, _delete_=True),
        rpn_head=dict(anchor_generator=dict(strides=strides)),
        roi_head=dict(
            bbox_roi_extractor=dict(featmap_strides=strides[:4]),
            bbox_head=dict(fc_out_channels=64),
        ),
    )
    base = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    return build(mmdet, base, model, tmp_path)


def unused(model):
    return [name for name, p in model.named_parameters() if p.grad is None]


@pytest.mark.parametrize('neck', NECKS)
@pytest.mark.parametrize('patch_size', [14, 16])
def test_mmdet_config__swapped_neck__extracts_five_levels(patch_size, neck, tmp_path):
    model = detector(patch_size, neck, tmp_path).eval()
    with torch.no_grad():
        levels = model.extract_feat(torch.randn(2, 3, 5 * patch_size, 100))
    columns = -(-100 // patch_size)
    assert [tuple(level.shape) for level in levels] == [
        (2, 256, 20, 4 * columns),
        (2, 256, 10, 2 * columns),
        (2, 256, 5, columns),
        (2, 256, 2, columns // 2),
        (2, 256, 1, (columns // 2 + 1) // 2),
    ]
    assert all(level.is_contiguous() for level in levels)


def test_mmdet_config__patch_14_and_mixed_layers__learns_and_predicts(tmp_path):
    model = detector(14, 'mixed', tmp_path)
    data = demo_mm_inputs(2, [(3, 126, 98), (3, 90, 112)], num_items=[2, 3])
    data = model.data_preprocessor(data, training=True)
    total, _ = model.parse_losses(model.loss(data['inputs'], data['data_samples']))
    total.backward()
    assert torch.isfinite(total)
    assert unused(model) == []

    with torch.no_grad():
        found = model.eval().predict(data['inputs'], data['data_samples'])
    assert len(found) == 2
    assert all(sample.pred_instances.bboxes.shape[1] == 4 for sample in found)


@pytest.mark.parametrize(
    ('patch_size', 'neck'), [(14, 'simple'), (16, 'mixed'), (14, 'multi')]
)
def test_mmseg_config__upernet_on_a_pyramid__learns(patch_size, neck, tmp_path):
    neck, layers = NECKS[neck]
    batch_norm = dict(type='BN')
    model = dict(
        backbone=encoder(patch_size, layers),
        neck=dict(neck, _delete_=True),
        pretrained=None,
        decode_head=dict(in_channels=[256] * 4, channels=16, norm_cfg=batch_norm),
        auxiliary_head=dict(in_channels=256, channels=16, norm_cfg=batch_norm),
        test_cfg=dict(_delete_=True, mode='whole'),
    )
    base = 'beit/beit-base_upernet_8xb2-160k_ade20k-640x640.py'
    model = build(mmseg, base, model, tmp_path).train()
    images = torch.randn(2, 3, 96, 112)
    labels = torch.randint(150, (1, 96, 112))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=labels)) for _ in images]

    total, _ = model.parse_losses(model.loss(images, samples))
    total.backward()

    assert torch.isfinite(total)
    assert unused(model) == []
    with torch.no_grad():
        logits = model.eval().encode_decode(images, [dict(img_shape=(96, 112))] * 2)
    assert logits.shape == (2, 150, 96, 112)


def test_mmseg_config__fcn_on_mixed_layers__learns_the_weights(tmp_path):
    model = dict(
        backbone=encoder(14, 'all'),
        neck=dict(type='pe_mm.LayerMix', in_channels=[32] * 4),
        decode_head=dict(
            in_channels=32, in_index=0, channels=16, norm_cfg=dict(type='BN')
        ),
        auxiliary_head=None,
        pretrained=None,
    )
    base = 'fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py'
    model = build(mmseg, base, model, tmp_path).train()
    samples = [SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 70, 84).long()))]
    total, _ = model.parse_losses(model.loss(torch.randn(1, 3, 70, 84), samples))
    total.backward()
    assert unused(model) == []
    assert (model.neck.layer_logits.grad.abs() > 0).all()
