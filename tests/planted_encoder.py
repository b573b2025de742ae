"""Small seeded encoders whose attention is not flat, with global tokens planted."""

from collections.abc import Collection
from typing import Any

import numpy as np
import torch

from pe_mm.backbones import PerceptionEncoder

# A channel of the residual stream that tells the chosen patches from all others.
MARK = 0
SIDE = 12  # Patches along one side of the image that the encoders are for.
PATCH = 8
_VARIANT = {'depth': 6, 'width': 64, 'heads': 4, 'patch_size': PATCH}
# The slowest pair of channels of RoPE: it hardly turns over so few patches.
_SLOW = 6


def seeded_encoder(
    seed: int, *, class_token: bool = False, **options: Any
) -> PerceptionEncoder:
    """Return an encoder that gives all layers, with logits of about 1."""
    torch.manual_seed(seed)
    variant = _VARIANT | {'class_token': class_token, 'image_size': PATCH * SIDE}
    encoder = PerceptionEncoder(variant, 'all', **options)
    with torch.no_grad():
        for block in encoder.blocks:
            torch.nn.init.normal_(block.attn.qkv.weight, std=0.15)
            torch.nn.init.normal_(block.attn.qkv.bias, std=0.15)
    return encoder.eval()


def seeded_image(seed: int, rows: int = SIDE, columns: int = SIDE) -> torch.Tensor:
    """Return an image (1, 3, H, W) of so many patches."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, PATCH * rows, PATCH * columns, generator=generator)


def mark_patches(encoder: PerceptionEncoder, seed: int, count: int) -> np.ndarray:
    """Give some patches a mark that their features carry through all layers.

    Returns:
        (SIDE, SIDE) whether a patch was marked.
    """
    chosen = np.random.default_rng(seed).permutation(SIDE**2)[:count]
    marks = torch.zeros(SIDE**2)
    marks[chosen] = 6
    with torch.no_grad():
        # Nothing else writes into the channel.
        encoder.patch_embed.proj.weight[MARK] = 0
        for block in encoder.blocks:
            block.attn.proj.weight[MARK] = 0
            block.mlp.fc2.weight[MARK] = 0
        encoder.pos_embed[0, :, MARK] = 0
        encoder.pos_embed[0, -(SIDE**2) :, MARK] = marks
    return marks.reshape(SIDE, SIDE).bool().numpy()


def attend_to_marks(encoder: PerceptionEncoder, layers: Collection[int]) -> None:
    """Make every query of some layers look for marked keys, in all heads."""
    width = encoder.variant.width
    with torch.no_grad():
        for layer in layers:
            qkv = encoder.blocks[layer].attn.qkv
            slow = torch.arange(_SLOW, width, encoder.variant.head_dim)
            qkv.weight[slow] = 0
            qkv.bias[slow] = 3
            qkv.weight[width + slow] = 0
            qkv.weight[width + slow, MARK] = 1.4


def lengthen_marked(encoder: PerceptionEncoder, layer: int) -> None:
    """Make a layer's MLP add a long vector to marked patches."""
    mlp = encoder.blocks[layer].mlp
    with torch.no_grad():
        mlp.fc1.weight[0] = 0
        mlp.fc1.weight[0, MARK] = 10
        mlp.fc1.bias[0] = -35
        mlp.fc2.weight[:, 0] = 0
        mlp.fc2.weight[MARK, 0] = 5
