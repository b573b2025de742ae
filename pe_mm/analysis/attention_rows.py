"""The attention of an encoder's blocks, some rows at a time.

Queries and keys are those that the block itself projects, with its position encoding,
windows and padding; only the softmax is written out here, because the fused attention
of a block never has its weights in memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pe_mm.backbones import PerceptionEncoder
from pe_mm.backbones.block import Attention
from pe_mm.backbones.windows import Windows

PADDING = -1

# Attention weights in memory at a time, 64 MiB in fp32.
_MAX_WEIGHTS = 2**24


@dataclass(frozen=True)
class AttentionRows:
    """Some rows of the attention matrix of one block.

    Attributes:
        window: Number of the window.
        queries: (Q,) the tokens of the rows, as numbers in the image's sequence; no
            padding among them.
        keys: (K,) the tokens of the columns, all those of the window; PADDING where
            there is none.
        weights: (heads, Q, K), each row with the sum 1.
    """

    window: int
    queries: Tensor
    keys: Tensor
    weights: Tensor


@dataclass(frozen=True)
class BlockAttention:
    """Queries, keys and values of one block for one image.

    Attributes:
        layer: 0-based block id.
        windowed: Whether a token sees the tokens of its window only.
        query: (windows, heads, N, channels), rotated; a block without windows has one.
        key: The same shape, rotated.
        value: The same shape.
        places: (windows, N) number of each token in the image's sequence: the class
            token first where there is one, then the patches row by row; PADDING for
            places beyond the image.
    """

    layer: int
    windowed: bool
    query: Tensor
    key: Tensor
    value: Tensor
    places: Tensor

    def rows(self) -> Iterator[AttentionRows]:
        """Yield all rows of the attention matrix, a bounded number at a time."""
        heads, tokens, channels = self.query.shape[1:]
        step = max(1, _MAX_WEIGHTS // (heads * tokens))
        for window, keys in enumerate(self.places):
            present = (keys != PADDING).nonzero().squeeze(1)
            key = self.key[window].float().transpose(1, 2)
            for chosen in present.split(step):
                query = self.query[window][:, chosen].float() * channels**-0.5
                yield AttentionRows(
                    window, keys[chosen], keys, (query @ key).softmax(-1)
                )


def check_measurable(encoder: PerceptionEncoder, image: Tensor) -> None:
    """Make sure that there are blocks whose attention can be read, and one image.

    Raises:
        ValueError: The encoder is no ``PerceptionEncoder``, or there is not one image.
    """
    if not isinstance(encoder, PerceptionEncoder):
        raise ValueError(
            f'attention is read from the blocks of a PerceptionEncoder, got a '
            f'{type(encoder).__name__}; its feature pictures and matches can be drawn'
        )
    if image.ndim != 4 or len(image) != 1:
        raise ValueError(
            f'attention is measured for one image at a time, of the shape (1, 3, H, W)'
            f'; got {tuple(image.shape)}'
        )


def visit_attention(
    encoder: PerceptionEncoder,
    image: Tensor,
    visit: Callable[[BlockAttention], None],
) -> list[Tensor]:
    """Encode an image and show the attention of the layers that the encoder returns.

    Args:
        encoder: In eval mode.
        image: (1, 3, H, W), as ``PerceptionEncoder`` takes it.
        visit: Called for each layer in the order of the depth; what it does not keep of
            a layer is freed before the next.

    Returns:
        The encoder's (1, C, rows, columns) maps, one per layer.

    Raises:
        ValueError: What ``check_measurable`` raises, or the encoder.
    """
    check_measurable(encoder, image)
    handles = [
        encoder.get_submodule(f'blocks.{layer}.attn').register_forward_pre_hook(
            partial(_show, layer, visit)
        )
        for layer in encoder.out_indices
    ]
    try:
        with torch.no_grad():
            outputs = encoder(image)
    finally:
        for handle in handles:
            handle.remove()
    return [o[0] if isinstance(o, tuple) else o for o in outputs]


def _show(
    layer: int,
    visit: Callable[[BlockAttention], None],
    attention: Attention,
    arguments: tuple[Any, ...],
) -> None:
    x, rope, windows = arguments
    query, key, value = attention.project(x, rope, windows)
    places = _places(x, windows)
    visit(BlockAttention(layer, windows is not None, query, key, value, places))


def _places(x: Tensor, windows: Windows | None) -> Tensor:
    """Number tokens (B, N, C) as ``BlockAttention.places`` has them."""
    if windows is None:
        return torch.arange(x.shape[1], device=x.device)[None]
    numbers = torch.arange(x.shape[0] * x.shape[1], device=x.device)[None, :, None]
    if windows.divides:
        return windows.split(numbers).squeeze(-1)
    padding = torch.full((1,), PADDING, device=x.device)
    return windows.pad(numbers, padding).squeeze(-1)
