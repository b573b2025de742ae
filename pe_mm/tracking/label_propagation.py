"""Label propagation: tokens take the labels of the tokens that they look like.

The method of DINO (arXiv 2104.14294) and of the works before it: the labels of the
first frame are carried through a clip by feature similarity alone, nothing is trained.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .protocols import Protocol

_TILE = 8  # Side in tokens of the blocks whose affinities are in memory at a time.
_TARGETS = 64  # Likewise their number, where any distance is allowed.


class Context:
    """The frames that labels come from: the first one and the last few.

    At most ``protocol.last_frames + 1`` frames are in memory, however long the clip is.

    Args:
        features: (C, h, w) map of the first frame.
        labels: (K, h, w) soft labels of the first frame.
        protocol: Its sizes do not matter here.

    Raises:
        ValueError: Features and labels are on different grids.
    """

    def __init__(self, features: Tensor, labels: Tensor, protocol: Protocol) -> None:
        self._grid = tuple(features.shape[1:])
        self._check(labels)
        self._protocol = protocol
        self._first = (_unit(features), labels.movedim(0, -1).to(features))
        self._last = deque[tuple[Tensor, Tensor]](maxlen=protocol.last_frames)

    def advance(self, features: Tensor) -> Tensor:
        """Label the next frame, and remember it.

        Args:
            features: Its (C, h, w) map.

        Returns:
            Its (K, h, w) soft labels; the K numbers of a token add up to 1 where those
            of the first frame do.

        Raises:
            ValueError: The map is of another size than the first frame's.
        """
        self._check(features)
        target = _unit(features)
        frames, labels = zip(self._first, *self._last, strict=True)
        result = _propagate_once(
            target, torch.stack(frames), torch.stack(labels), self._protocol
        )
        self._last.append((target, result))
        return result.movedim(-1, 0)

    def _check(self, map_: Tensor) -> None:
        if tuple(map_.shape[1:]) != self._grid:
            raise ValueError(
                f'all frames of a clip must have one size: a map of {map_.shape[1:]} '
                f'tokens follows the first frame of {self._grid}'
            )


@dataclass(frozen=True)
class _Block:
    """Tokens of the current frame, and where their labels may come from."""

    rows: slice
    columns: slice
    source_rows: slice
    source_columns: slice


def _propagate_once(
    target: Tensor, sources: Tensor, labels: Tensor, protocol: Protocol
) -> Tensor:
    """Label one frame, block by block.

    Args:
        target: (h, w, C) unit vectors.
        sources: (n, h, w, C) unit vectors.
        labels: (n, h, w, K).
        protocol: The settings.

    Returns:
        (h, w, K).
    """
    height, width = target.shape[:2]
    result = labels.new_empty(height, width, labels.shape[-1])
    for block in _blocks(height, width, protocol.radius):
        wanted = target[block.rows, block.columns].flatten(0, 1)
        part = (slice(None), block.source_rows, block.source_columns)
        affinity = wanted @ sources[part].flatten(0, 2).T
        if protocol.radius is not None:
            far = ~_within(block, protocol.radius, protocol.shape, target.device)
            affinity.masked_fill_(far.repeat(1, len(sources)), -math.inf)
        k = min(protocol.top_k, affinity.shape[1])
        # What is as similar as the k-th counts too, as in frames that stand still.
        lowest = affinity.topk(k, dim=1).values[:, -1:]
        affinity.masked_fill_(affinity < lowest, -math.inf)
        weights = affinity.div_(protocol.temperature).softmax(1)
        mixed = weights @ labels[part].flatten(0, 2)
        result[block.rows, block.columns] = mixed.view_as(
            result[block.rows, block.columns]
        )
    return result


def _blocks(height: int, width: int, radius: float | None) -> Iterator[_Block]:
    """Cut the grid into blocks, each with the rectangle around it in reach."""
    if radius is None:
        rows = max(1, _TARGETS // width)
        for y in range(0, height, rows):
            everywhere = slice(0, height), slice(0, width)
            yield _Block(slice(y, min(y + rows, height)), everywhere[1], *everywhere)
        return
    reach = math.floor(radius)
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
            bottom, right = min(y + _TILE, height), min(x + _TILE, width)
            yield _Block(
                slice(y, bottom),
                slice(x, right),
                slice(max(0, y - reach), min(height, bottom + reach)),
                slice(max(0, x - reach), min(width, right + reach)),
            )


def _within(block: _Block, radius: float, shape: str, device: torch.device) -> Tensor:
    """Tell which tokens around a block are near which of its own: (own, around)."""
    down = _distances(block.rows, block.source_rows, device)[:, None, :, None]
    across = _distances(block.columns, block.source_columns, device)[None, :, None]
    if shape == 'circle':
        near = down**2 + across**2 <= radius**2
    else:
        near = torch.maximum(down, across) <= radius
    return near.flatten(2, 3).flatten(0, 1)


def _distances(own: slice, around: slice, device: torch.device) -> Tensor:
    here = torch.arange(own.start, own.stop, device=device)
    there = torch.arange(around.start, around.stop, device=device)
    return (here[:, None] - there).abs()


def _unit(features: Tensor) -> Tensor:
    """(C, h, w) features -> (h, w, C) vectors of length 1."""
    return functional.normalize(features.movedim(0, -1), dim=-1)
