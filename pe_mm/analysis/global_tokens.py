"""Global tokens: patches that all tokens attend to, and from which layer on.

In the deep layers of large encoders some patches, mostly in the background, stop to
stand for their place and gather global information; every token attends to them (Darcet
et al., "Vision Transformers Need Registers"; arXiv 2504.13181, section 5.1). Two signs,
measured apart:

- attention: the heads' mean attention from at least half of all tokens to the patch is
  ``MIN_ATTENTION`` times 1 / N, the attention of a token that attends to all alike.
  What its neighbours alone attend to, however strongly, is not global.
- norm: the patch's features are ``MIN_NORM`` times as long as the median patch's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pe_mm.backbones import PerceptionEncoder

from .attention_rows import PADDING, BlockAttention, visit_attention

MIN_ATTENTION = 8.0
MIN_NORM = 3.0


@dataclass(frozen=True)
class GlobalTokens:
    """Signs of global tokens in one image, per layer.

    Attributes:
        layers: 0-based block ids.
        windowed: For each layer, whether tokens see less than the whole image there.
        min_attention: The limit of ``attention``.
        min_norm: The limit of ``norm``.
        attention: (L, rows, columns) median over all tokens of the attention that they
            pay to a patch, mean of the heads, times the number of tokens: 1 is the fair
            share. NaN in windowed layers, where no patch is seen by all.
        norm: (L, rows, columns) length of a patch's features over the median length.
        by_attention: (L, rows, columns) whether the patch is global by its attention.
        by_norm: (L, rows, columns) whether it is by its norm.
    """

    layers: tuple[int, ...]
    windowed: tuple[bool, ...]
    min_attention: float
    min_norm: float
    attention: NDArray[np.float32]
    norm: NDArray[np.float32]
    by_attention: NDArray[np.bool_]
    by_norm: NDArray[np.bool_]


def find_global_tokens(
    encoder: PerceptionEncoder,
    image: Tensor,
    *,
    min_attention: float = MIN_ATTENTION,
    min_norm: float = MIN_NORM,
) -> GlobalTokens:
    """Look for global tokens in the layers that an encoder returns, for one image.

    The heads' mean of one layer's N x N attention is in memory at a time.

    Args:
        encoder: In eval mode; its ``out_indices`` are the layers.
        image: (1, 3, H, W), as ``PerceptionEncoder`` takes it.
        min_attention: Attention, in fair shares, from which on a patch is global.
        min_norm: Norm, in medians, from which on it is.

    Raises:
        ValueError: A limit is not above 1, or what ``check_measurable`` raises.
    """
    for name, limit in (('min_attention', min_attention), ('min_norm', min_norm)):
        if not limit > 1:
            raise ValueError(f'{name} must be above 1, the usual value, got {limit}')
    medians: list[Tensor] = []
    maps = visit_attention(
        encoder, image, lambda block: medians.append(_median_attention(block))
    )
    grid = tuple(maps[0].shape[-2:])
    prefix = int(encoder.has_class_token)
    attention = np.stack(
        [median[prefix:].reshape(grid).cpu().numpy() for median in medians]
    )
    norm = np.stack([_relative_norm(map_) for map_ in maps])
    return GlobalTokens(
        layers=encoder.out_indices,
        windowed=tuple(bool(np.isnan(layer).all()) for layer in attention),
        min_attention=min_attention,
        min_norm=min_norm,
        attention=attention,
        norm=norm,
        # Nothing compares to NaN, so windowed layers have none.
        by_attention=attention >= min_attention,
        by_norm=norm >= min_norm,
    )


def first_layer(
    layers: Sequence[int], found: Sequence[NDArray[np.bool_]]
) -> int | None:
    """Return the first layer with a global token in at least half of the images.

    Args:
        layers: 0-based block ids.
        found: Per image, (L, rows, columns): ``by_attention`` or ``by_norm``.

    Returns:
        A block id; None where no layer has any.
    """
    share = np.mean([image.any((1, 2)) for image in found], axis=0)
    having = np.flatnonzero(share >= 0.5)
    return layers[having[0]] if having.size else None


def _median_attention(block: BlockAttention) -> Tensor:
    """Return (T,) the attention that half of all tokens pay at least, in fair shares.

    It is NaN where the layer has several windows, or one that is larger than the image.
    """
    windows, tokens = block.places.shape
    present = int((block.places != PADDING).sum())
    if windows > 1 or present < tokens:
        return torch.full((present,), torch.nan)
    mean = torch.empty(tokens, tokens, device=block.query.device)
    for rows in block.rows():
        mean[rows.queries] = rows.weights.mean(0)
    # Not torch's median: of an even number it is the lower of the two in the middle.
    return mean.kthvalue(tokens // 2 + 1, dim=0).values * tokens


def _relative_norm(map_: Tensor) -> NDArray[np.float32]:
    norm = map_[0].float().norm(dim=0)
    return (norm / norm.median()).cpu().numpy()
