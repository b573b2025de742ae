"""Samples of depth, small depth estimators, and what they share in tests."""

from typing import Any

import torch
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

ENCODER = dict(
    type='pe_mm.PerceptionEncoder',
    variant=dict(depth=2, width=32, heads=2, patch_size=14, image_size=56),
    out_indices='all',
)
LINEAR = dict(
    type='pe_mm.LinearDepthHead', in_channels=[32, 32], norm_cfg=None, num_bins=16
)
DPT_LEVELS = [8, 12, 16, 20]


def samples(depths: Tensor) -> list[SegDataSample]:
    """Turn measured depth (B, 1, H, W) into mmseg's samples."""
    return [
        SegDataSample(
            gt_depth_map=PixelData(data=depth),
            metainfo=dict(ori_shape=tuple(depth.shape[-2:]), img_path=f'{i}.jpg'),
        )
        for i, depth in enumerate(depths)
    ]


def build_estimator(head: str = 'linear', **changes: Any) -> torch.nn.Module:
    """Build an estimator of patches of 14 with noise for weights.

    Args:
        head: 'linear' on two layers, or 'dpt' on the last one.
        changes: Other arguments, or other values of 'backbone' and 'decode_head'.
    """
    backbone = {**ENCODER, **changes.pop('backbone', {})}
    decode_head: dict[str, Any] = dict(LINEAR)
    neck = None
    if head == 'dpt':
        backbone['out_indices'] = 'last'
        neck = dict(
            type='pe_mm.DPTReassemble', in_channels=[32], out_channels=DPT_LEVELS
        )
        decode_head = dict(
            type='pe_mm.DPTDepthHead', in_channels=DPT_LEVELS, channels=16, num_bins=16
        )
    decode_head.update(changes.pop('decode_head', {}))
    model = MODELS.build(
        dict(
            type='pe_mm.DepthEstimator',
            backbone=backbone,
            neck=neck,
            decode_head=decode_head,
            **changes,
        )
    )
    # Far from the flat map that heads start with.
    torch.nn.init.normal_(model.decode_head.conv_seg.weight)
    return model.eval()
