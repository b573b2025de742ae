"""A config of mmdet's own with nothing but its backbone swapped for an encoder."""

from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules
from mmengine.config import Config

MMDET_CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'

SWAP = """
_base_ = '{base}'
model = dict(
    backbone=dict(
        _delete_=True,
        type='pe_mm.PerceptionEncoder',
        variant=dict(depth=4, width=32, heads=2, patch_size=16, image_size=128),
        out_indices=(0, 1, 2, 3),
    ),
    neck=dict(
        _delete_=True,
        type='pe_mm.MultiLayerPyramid',
        in_channels=[32, 32, 32, 32],
        out_channels=256,
        num_outs=5,
    ),
)
"""


@pytest.fixture(params=['wheel', 'mmdet::'])
def model(request, tmp_path):
    relative = 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'
    root = 'mmdet::' if request.param == 'mmdet::' else f'{MMDET_CONFIGS}/'
    path = tmp_path / 'swapped.py'
    path.write_text(SWAP.format(base=root + relative))
    register_all_modules()
    return MODELS.build(Config.fromfile(path).model)


def test_mmdet_mask_rcnn__swapped_backbone__learns_in_every_parameter(model):
    shapes = [(3, 128, 96), (3, 100, 128)]
    data = demo_mm_inputs(2, shapes, num_items=[2, 3], num_classes=80, with_mask=True)
    data = model.data_preprocessor(data, training=True)

    losses = model.loss(data['inputs'], data['data_samples'])
    total, _ = model.parse_losses(losses)
    total.backward()

    assert torch.isfinite(total)
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert unused == []


def test_mmdet_mask_rcnn__swapped_backbone__predicts_boxes_and_masks(model):
    model.eval()
    data = demo_mm_inputs(1, [(3, 128, 96)], num_items=[2], num_classes=80)
    data = model.data_preprocessor(data, training=False)

    with torch.no_grad():
        found = model.predict(data['inputs'], data['data_samples'])[0].pred_instances

    assert found.bboxes.shape == (len(found), 4)
    assert found.masks.shape[0] == len(found)
