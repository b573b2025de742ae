"""mmseg's own heads on the encoder's outputs: they learn, and predict at odd sizes."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from reduced_segmentation_configs import reduce_model
from segmentors import CLASSES, batch, build, encoder

from pe_mm import LayerMix, MultiLayerPyramid, SimpleFeaturePyramid

MODELS = Path(__file__).parents[2] / 'configs/_base_/models'
BN = dict(type='BN')
WIDTH = 32
FOUR = dict(in_index=[0, 1, 2, 3], channels=16, num_classes=CLASSES, norm_cfg=BN)
MULTI_LAYER = dict(
    type='pe_mm.MultiLayerPyramid', in_channels=[WIDTH] * 4, out_channels=16
)
SIMPLE = dict(type='pe_mm.SimpleFeaturePyramid', in_channels=WIDTH, out_channels=16)
LINEAR = dict(type='pe_mm.LinearSegmentationHead', num_classes=CLASSES, norm_cfg=BN)
MIX = dict(type='pe_mm.LayerMix', in_channels=[WIDTH] * 4)


def upernet(patch):
    return dict(
        backbone=encoder(patch),
        neck=MULTI_LAYER,
        decode_head=dict(type='UPerHead', in_channels=[16] * 4, **FOUR),
        auxiliary_head=dict(
            FOUR, type='FCNHead', in_channels=16, in_index=2, num_convs=1
        ),
        padding=dict(size_divisor=2 * patch),
    )


def segformer(patch):
    return dict(
        backbone=encoder(patch, 'last'),
        neck=SIMPLE,
        decode_head=dict(type='SegformerHead', in_channels=[16] * 4, **FOUR),
        padding=dict(size_divisor=2 * patch),
    )


def dpt(patch, **options):
    head = dict(
        type='DPTHead',
        in_channels=[WIDTH] * 4,
        input_transform='multiple_select',
        embed_dims=WIDTH,
        post_process_channels=[4, 8, 16, 32],
        readout_type='project',
        **FOUR,
    )
    backbone = encoder(patch, **{'output_class_token': True, **options})
    return dict(backbone=backbone, decode_head=head, padding=dict(size_divisor=patch))


def dpt_of_means(patch):
    return dpt(patch, output_class_token='mean', window_size=2, global_blocks=(1, 3))


def linear(patch):
    return dict(
        backbone=encoder(patch),
        decode_head=dict(LINEAR, in_channels=[WIDTH] * 4),
        padding=dict(size_divisor=patch),
    )


def linear_of_mix(patch):
    return dict(
        backbone=encoder(patch),
        neck=MIX,
        decode_head=dict(LINEAR, in_channels=WIDTH),
        padding=dict(size_divisor=patch),
    )


def mask2former(patch):
    model = Config.fromfile(MODELS / 'mask2former_seg_pe.py').model
    reduce_model(model)
    model.decode_head.num_classes = CLASSES
    model.decode_head.loss_cls.class_weight = [1.0] * CLASSES + [0.1]
    model.decode_head.pixel_decoder.strides = model.decode_head.strides = [
        patch / 4,
        patch / 2,
        patch,
        patch * 2,
    ]
    return dict(
        backbone=encoder(patch, 'last'),
        neck=model.neck,
        decode_head=model.decode_head,
        padding=dict(size_divisor=2 * patch),
    )


HEADS = [upernet, segformer, dpt, dpt_of_means, linear, linear_of_mix, mask2former]
PATCHES = pytest.mark.parametrize('patch', [14, 16])


@PATCHES
@pytest.mark.parametrize('parts', HEADS)
def test_head__loss__reaches_every_parameter(parts, patch):
    model = build(**parts(patch)).train()
    images = [torch.randint(256, (3, 6 * patch, 4 * patch)) for _ in range(2)]
    labels = [torch.randint(CLASSES, image.shape[1:]) for image in images]
    labels[0][:9] = 255

    data = model.data_preprocessor(batch(images, labels), training=True)
    total, losses = model.parse_losses(model(**data, mode='loss'))
    total.backward()

    assert all(loss.isfinite() for loss in losses.values())
    unreached = {
        name
        for name, p in model.named_parameters()
        if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    }
    # Deformable attention starts without queries: what makes them comes later.
    assert unreached <= {'decode_head.pixel_decoder.level_encoding.weight'}


@PATCHES
@pytest.mark.parametrize('parts', HEADS)
def test_head__odd_sizes__predicts_at_the_size_of_the_image(parts, patch):
    model = build(**parts(patch)).eval()
    images = [torch.randint(256, (3, 67, 101)) for _ in range(2)]

    with torch.no_grad():
        samples = model.test_step(batch(images))
        singles = [model.test_step(batch([image]))[0] for image in images]

    for sample, single in zip(samples, singles, strict=True):
        assert sample.seg_logits.data.shape == (CLASSES, 67, 101)
        assert sample.pred_sem_seg.data.shape == (1, 67, 101)
        assert sample.seg_logits.data.isfinite().all()
        torch.testing.assert_close(
            sample.seg_logits.data, single.seg_logits.data, rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize('parts', HEADS[:-1])
def test_head__bfloat16_autocast__gives_the_same_loss(parts):
    model = build(**parts(16)).train()
    images = [torch.randint(256, (3, 96, 64)) for _ in range(2)]
    labels = [torch.randint(CLASSES, (96, 64)) for _ in images]
    data = model.data_preprocessor(batch(images, labels), training=True)

    values = []
    for half in (False, True):
        torch.manual_seed(0)  # the same dropout
        with torch.autocast('cpu', torch.bfloat16, enabled=half):
            values.append(model.parse_losses(model(**data, mode='loss'))[0])

    values[1].backward()
    torch.testing.assert_close(values[1].float(), values[0].detach(), rtol=0.03, atol=0)
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_necks__of_these_heads__are_ours():
    assert isinstance(build(**upernet(14)).neck, MultiLayerPyramid)
    assert isinstance(build(**segformer(14)).neck, SimpleFeaturePyramid)
    assert isinstance(build(**linear_of_mix(14)).neck, LayerMix)
