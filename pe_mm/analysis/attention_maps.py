"""Where attention goes: maps of chosen tokens, distance, entropy, attention received.

A layer's N x N matrix is never in memory as a whole: rows are computed some at a time,
and what is kept grows with N.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pe_mm.backbones import PerceptionEncoder

from .attention_rows import (
    PADDING,
    AttentionRows,
    BlockAttention,
    check_measurable,
    visit_attention,
)

CLASS_TOKEN = 'class'

Token = str | tuple[int, int]


@dataclass(frozen=True)
class AttentionMaps:
    """What one image's tokens attend to, per layer (L) and head (H).

    Arrays over tokens have T entries: the class token first where the encoder has one,
    then the patches row by row; ``on_grid`` takes the patches out. In windowed layers
    tokens attend within their window: to all others the attention is 0, and places
    beyond the image, which the block sees as padding, take the share that is missing
    to a sum of 1.

    Attributes:
        layers: 0-based block ids.
        windowed: For each layer, whether its attention is windowed.
        grid: Rows and columns of patches.
        has_class_token: Whether the first token is a class token.
        tokens: The chosen tokens, as they were given.
        maps: (L, tokens, H, T) attention of the chosen tokens.
        distance: (L, H) mean distance in tokens between a patch and the patches that it
            attends to, weighted with the attention among patches.
        entropy: (L, H) mean entropy in bits of a token's attention: n bits are as
            spread as 2^n tokens.
        received: (L, H, T) attention that a token receives from all, in sum; 1 is the
            fair share.
    """

    layers: tuple[int, ...]
    windowed: tuple[bool, ...]
    grid: tuple[int, int]
    has_class_token: bool
    tokens: tuple[Token, ...]
    maps: NDArray[np.float32]
    distance: NDArray[np.float32]
    entropy: NDArray[np.float32]
    received: NDArray[np.float32]

    def on_grid(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Lay out the patches of an array over tokens.

        Args:
            values: (..., T).

        Returns:
            (..., rows, columns).
        """
        patches = values[..., int(self.has_class_token) :]
        return patches.reshape(*values.shape[:-1], *self.grid)


def measure_attention(
    encoder: PerceptionEncoder, image: Tensor, tokens: Sequence[Token] = ()
) -> AttentionMaps:
    """Measure the attention of the layers that an encoder returns, for one image.

    Args:
        encoder: In eval mode; its ``out_indices`` are the layers.
        image: (1, 3, H, W), as ``PerceptionEncoder`` takes it.
        tokens: Tokens whose attention maps are kept: (row, column) of a patch, counted
            from 0, or 'class'.

    Raises:
        ValueError: A token does not exist, or what ``check_measurable`` raises.
    """
    layers: list[_LayerSums] = []

    def visit(block: BlockAttention) -> None:
        sums = _LayerSums(block, grid, prefix, places)
        for rows in block.rows():
            sums.add(rows)
        layers.append(sums)

    check_measurable(encoder, image)
    height, width = image.shape[-2:]
    grid = encoder.patch_embed.dynamic_feat_size((height, width))
    prefix = int(encoder.has_class_token)
    places = [_place(token, grid, prefix) for token in tokens]
    visit_attention(encoder, image, visit)
    return AttentionMaps(
        layers=encoder.out_indices,
        windowed=tuple(sums.windowed for sums in layers),
        grid=grid,
        has_class_token=bool(prefix),
        tokens=tuple(tokens),
        maps=_stack([sums.maps for sums in layers]),
        distance=_stack([sums.distances.nanmean(-1) for sums in layers]),
        entropy=_stack([sums.entropies.mean(-1) for sums in layers]),
        received=_stack([sums.received for sums in layers]),
    )


class _LayerSums:
    """What is kept of one layer's rows."""

    def __init__(
        self,
        block: BlockAttention,
        grid: tuple[int, int],
        prefix: int,
        places: Sequence[int],
    ) -> None:
        device, heads = block.query.device, block.query.shape[1]
        count = prefix + grid[0] * grid[1]
        row, column = torch.meshgrid(*map(torch.arange, grid), indexing='ij')
        self._coordinates = torch.stack([row, column], -1).flatten(0, 1).float()
        self._coordinates = self._coordinates.to(device)
        self._prefix = prefix
        self._places = places
        self.windowed = block.windowed
        self.maps = torch.zeros(len(places), heads, count, device=device)
        self.received = torch.zeros(heads, count, device=device)
        self.entropies = torch.zeros(heads, count, device=device)
        self.distances = torch.zeros(heads, count, device=device)

    def add(self, rows: AttentionRows) -> None:
        """Add rows whose queries have not come before."""
        real = rows.keys != PADDING
        keys, weights = rows.keys[real], rows.weights
        bits = torch.special.entr(weights).sum(-1) / math.log(2)
        self.entropies[:, rows.queries] = bits
        self.received.index_add_(1, keys, weights.sum(1)[:, real])
        for index, place in enumerate(self._places):
            for at in (rows.queries == place).nonzero().flatten():
                self.maps[index, :, keys] = weights[:, at, real]
        self._add_distances(rows)

    def _add_distances(self, rows: AttentionRows) -> None:
        # Padding and the class token are nowhere.
        somewhere = (rows.keys >= self._prefix).float()
        sources, targets = (
            self._coordinates[(numbers - self._prefix).clamp(min=0)]
            for numbers in (rows.queries, rows.keys)
        )
        apart = torch.cdist(sources, targets) * somewhere
        total = torch.einsum('hqk,qk->hq', rows.weights, apart)
        mean = total / (rows.weights @ somewhere)
        self.distances[:, rows.queries] = torch.where(
            rows.queries >= self._prefix, mean, torch.nan
        )


def _place(token: Token, grid: tuple[int, int], prefix: int) -> int:
    if isinstance(token, str):
        if token != CLASS_TOKEN:
            raise ValueError(f"a token is (row, column) or 'class', got {token!r}")
        if not prefix:
            raise ValueError(
                'this encoder has no class token; choose patches as (row, column)'
            )
        return 0
    row, column = token
    if not (0 <= int(row) < grid[0] and 0 <= int(column) < grid[1]):
        raise ValueError(
            f'token ({row}, {column}) is outside the grid of {grid[0]} rows and '
            f'{grid[1]} columns of patches; both count from 0'
        )
    return prefix + int(row) * grid[1] + int(column)


def _stack(values: Sequence[Tensor]) -> NDArray[np.float32]:
    return torch.stack(list(values)).cpu().numpy()
