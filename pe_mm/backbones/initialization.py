"""Random weights to train an encoder from."""

from typing import TYPE_CHECKING

import torch
from timm.layers import trunc_normal_
from torch import nn

if TYPE_CHECKING:
    from .perception_encoder import PerceptionEncoder


def initialize(encoder: 'PerceptionEncoder') -> None:
    """Initialise an encoder for training from scratch, as timm's EVA models do."""
    trunc_normal_(encoder.pos_embed, std=0.02)
    for token in (encoder.cls_token, encoder.mask_token):
        if token is not None:
            trunc_normal_(token, std=0.02)
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    # Keep the residual stream's variance level over the depth.
    with torch.no_grad():
        for index in range(len(encoder.blocks)):
            scale = (2.0 * (index + 1)) ** 0.5
            for name in ('attn.proj', 'mlp.fc2'):
                encoder.get_parameter(f'blocks.{index}.{name}.weight').div_(scale)
