"""Synthetic detectron2 Mask R-CNNs on a Perception Encoder, and configs they fit."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from torch import Tensor

from helpers import golden

CONFIGS = Path(__file__).parents[1] / 'configs'
GLOBAL_BLOCKS = (12, 24, 36, 49)
# Of the reduced models.
SMALL = {'width': 32, 'depth': 3, 'hidden': 48, 'heads': 2, 'grid': 4}
SMALL_HEADS = {'channels': 8, 'fc': 16}


def shapes(
    *,
    classes: int,
    layer_scale: bool,
    federated: bool,
    width: int = 1536,
    depth: int = 50,
    hidden: int = 8960,
    heads: int = 16,
    grid: int = 32,
    channels: int = 256,
    fc: int = 1024,
) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a state dict, as Meta's code builds it."""
    net, roi = 'backbone.net', 'roi_heads'
    table: dict[str, tuple[int, ...]] = {
        f'{net}.positional_embedding': (1, grid**2, width),
        f'{net}.conv1.weight': (width, 3, 16, 16),
    }

    def pair(name: str, *shape: int) -> None:
        table[f'{name}.weight'], table[f'{name}.bias'] = shape, shape[:1]

    def rope(name: str, tokens: int) -> None:
        for function in ('cos', 'sin'):
            table[f'{name}.freqs_{function}'] = (tokens, width // heads)

    def normed(name: str, *shape: int) -> None:
        table[f'{name}.weight'] = shape
        pair(f'{name}.norm', channels)

    def upsampling(name: str, inputs: int, outputs: int) -> None:
        table[f'{name}.weight'], table[f'{name}.bias'] = (
            (inputs, outputs, 2, 2),
            (outputs,),
        )

    pair(f'{net}.ln_pre', width)
    rope(f'{net}.rope_win', grid**2)
    rope(f'{net}.rope_glb', 4 * grid**2)
    for i in range(depth):
        block = f'{net}.transformer.resblocks.{i}'
        table[f'{block}.attn.in_proj_weight'] = (3 * width, width)
        table[f'{block}.attn.in_proj_bias'] = (3 * width,)
        pair(f'{block}.attn.out_proj', width, width)
        rope(f'{block}.attn.rope', (4 if i in GLOBAL_BLOCKS else 1) * grid**2)
        pair(f'{block}.ln_1', width)
        pair(f'{block}.ln_2', width)
        if layer_scale:
            table[f'{block}.ls_1.gamma'] = table[f'{block}.ls_2.gamma'] = (width,)
        pair(f'{block}.mlp.c_fc', hidden, width)
        pair(f'{block}.mlp.c_proj', width, hidden)
    upsampling('backbone.simfp_2.0', width, width // 2)
    pair('backbone.simfp_2.1', width // 2)
    upsampling('backbone.simfp_2.3', width // 2, width // 4)
    upsampling('backbone.simfp_3.0', width, width // 2)
    for name, inputs in (
        ('simfp_2.4', width // 4),
        ('simfp_3.1', width // 2),
        ('simfp_4.0', width),
        ('simfp_5.1', width),
    ):
        level, index = name.split('.')
        normed(f'backbone.{name}', channels, inputs, 1, 1)
        normed(f'backbone.{level}.{int(index) + 1}', channels, channels, 3, 3)
    rpn = 'proposal_generator.rpn_head'
    for i in range(2):
        pair(f'{rpn}.conv.conv{i}', channels, channels, 3, 3)
    pair(f'{rpn}.objectness_logits', 3, channels, 1, 1)
    pair(f'{rpn}.anchor_deltas', 12, channels, 1, 1)
    for i in range(1, 5):
        normed(f'{roi}.box_head.conv{i}', channels, channels, 3, 3)
        normed(f'{roi}.mask_head.mask_fcn{i}', channels, channels, 3, 3)
    pair(f'{roi}.box_head.fc1', fc, channels * 49)
    pair(f'{roi}.box_predictor.cls_score', classes + 1, fc)
    pair(f'{roi}.box_predictor.bbox_pred', 4 * classes, fc)
    if federated:
        table[f'{roi}.box_predictor.fed_loss_cls_weights'] = (classes,)
    upsampling(f'{roi}.mask_head.deconv', channels, channels)
    pair(f'{roi}.mask_head.predictor', classes, channels, 1, 1)
    return table


def small_state(
    *, classes: int = 5, layer_scale: bool = True, federated: bool = False
) -> dict[str, Tensor]:
    """Return a reduced model's random state dict."""
    table = shapes(
        classes=classes,
        layer_scale=layer_scale,
        federated=federated,
        **SMALL,
        **SMALL_HEADS,
    )
    return {name: torch.randn(shape) for name, shape in table.items()}


def small_config(name: str, *, classes: int = 5, layer_scale: bool = True) -> Config:
    """Return a config of configs/detection/, reduced to the size of ``small_state``."""
    cfg = Config.fromfile(CONFIGS / 'detection' / f'{name}.py')
    reduce_encoder(
        cfg.model,
        width=SMALL['width'],
        depth=SMALL['depth'],
        heads=SMALL['heads'],
        mlp_ratio=SMALL['hidden'] / SMALL['width'],
        layer_scale=0.1 if layer_scale else None,
        window=SMALL['grid'],
        global_blocks=(1, SMALL['depth'] - 1),
    )
    channels = SMALL_HEADS['channels']
    model = cfg.model
    model.neck.out_channels = channels
    model.rpn_head.in_channels = model.rpn_head.feat_channels = channels
    roi = model.roi_head
    roi.bbox_roi_extractor.out_channels = channels
    roi.mask_roi_extractor.out_channels = channels
    for head in (roi.bbox_head, roi.mask_head):
        head.in_channels = head.conv_out_channels = channels
    roi.bbox_head.fc_out_channels = SMALL_HEADS['fc']
    set_classes(model, classes)
    return cfg


def set_classes(model: ConfigDict, classes: int) -> None:
    """Give a model another number of classes."""
    roi = model.roi_head
    roi.bbox_head.num_classes = roi.mask_head.num_classes = classes
    if 'num_classes' in roi.bbox_head.loss_cls:
        roi.bbox_head.loss_cls.num_classes = classes


def reduce_encoder(
    model: ConfigDict,
    *,
    width: int,
    depth: int,
    heads: int,
    mlp_ratio: float,
    layer_scale: float | None,
    window: int,
    global_blocks: tuple[int, ...],
) -> None:
    """Give a detector a small encoder, and one of its images the size of two windows.

    Args:
        model: Config, changed in place.
        width: Channels of a token.
        depth: Number of blocks.
        heads: Attention heads.
        mlp_ratio: Hidden channels of the MLP by ``width``.
        layer_scale: Initial LayerScale; None for none.
        window: Side in tokens of a window and of the position embedding.
        global_blocks: Blocks that are not windowed.
    """
    model.backbone.update(
        variant=dict(
            depth=depth,
            width=width,
            heads=heads,
            mlp_ratio=mlp_ratio,
            patch_size=16,
            image_size=16 * window,
            layer_scale=layer_scale,
            class_token=False,
        ),
        pretrained=False,
        drop_path_rate=0.0,
        window_size=window,
        global_blocks=global_blocks,
        rope_reference_size=window,
    )
    model.neck.in_channels = width
    model.data_preprocessor.pad_size_divisor = 32 * window


def golden_detector() -> tuple[ConfigDict, dict[str, Tensor], dict[str, Any]]:
    """Return the golden detector: our config, its detectron2 weights, its outputs."""
    told, state, arrays = golden('d2_mask_rcnn')
    for part, factor in told['scaled'].items():
        state |= {key: factor * t for key, t in state.items() if part in key}
    net = told['net']
    windowed = net['window_block_indexes']
    model = Config.fromfile(CONFIGS / '_base_/models/mask_rcnn_pe_vitdet.py').model
    reduce_encoder(
        model,
        width=net['embed_dim'],
        depth=net['depth'],
        heads=net['num_heads'],
        mlp_ratio=net['mlp_ratio'],
        layer_scale=net['init_values'],
        window=net['window_size'],
        global_blocks=tuple(i for i in range(net['depth']) if i not in windowed),
    )
    set_classes(model, told['num_classes'])
    return model, state, arrays
