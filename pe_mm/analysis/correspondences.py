"""Which places of two images look alike to an encoder."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

# Similarities in memory at a time, 64 MiB in fp32.
_MAX_SIMILARITIES = 2**24


@dataclass(frozen=True)
class Matches:
    """Pairs of patches of two images.

    Attributes:
        source: (M, 2) row and column of patches of the first image, counted from 0.
        target: (M, 2) of the second image.
        similarity: (M,) cosine similarity of the two features.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.similarity)

    def __getitem__(self, chosen: NDArray[np.int64]) -> 'Matches':
        """Return the pairs of the given numbers, in their order."""
        return Matches(
            self.source[chosen], self.target[chosen], self.similarity[chosen]
        )


def match_features(source: Tensor, target: Tensor, *, mutual: bool = True) -> Matches:
    """Find for the patches of an image the most similar ones of another.

    Args:
        source: (1, C, rows, columns) features of one layer.
        target: Of the same layer for the other image, which may have another size.
        mutual: Keep only pairs each of which is the other's most similar patch.

    Returns:
        Pairs in the order of the source's patches: without ``mutual`` one for each.

    Raises:
        ValueError: The features have different widths.
    """
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f'features of {source.shape[1]} and {target.shape[1]} channels cannot be '
            'compared; take both from the same layer of the same encoder'
        )
    sources, targets = (
        F.normalize(map_[0].detach().flatten(1).T.float(), dim=1)
        for map_ in (source, target)
    )
    values, nearest, back = _nearest(sources, targets)
    chosen = torch.arange(len(sources), device=sources.device)
    if mutual:
        chosen = chosen[back[nearest] == chosen]
    return Matches(
        _on_grid(chosen, source),
        _on_grid(nearest[chosen], target),
        values[chosen].cpu().numpy(),
    )


def strongest_spread(matches: Matches, grid: tuple[int, int], *, cells: int) -> Matches:
    """Choose the most similar pair of each cell of the first image, to draw.

    Args:
        matches: All pairs.
        grid: Rows and columns of patches of the first image.
        cells: The image is cut into so many cells along either side.
    """
    row, column = (matches.source[:, axis] * cells // grid[axis] for axis in (0, 1))
    order = np.argsort(-matches.similarity, kind='stable')
    _, first = np.unique((row * cells + column)[order], return_index=True)
    return matches[order[first]]


def _nearest(sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return each source's best similarity and target, and each target's source."""
    step = max(1, _MAX_SIMILARITIES // len(targets))
    values, nearest = [], []
    best = torch.full((len(targets),), -torch.inf, device=targets.device)
    back = torch.zeros(len(targets), dtype=torch.long, device=targets.device)
    for start in range(0, len(sources), step):
        similarity = sources[start : start + step] @ targets.T
        value, index = similarity.max(1)
        values.append(value)
        nearest.append(index)
        value, index = similarity.max(0)
        better = value > best
        best = torch.where(better, value, best)
        back = torch.where(better, index + start, back)
    return torch.cat(values), torch.cat(nearest), back


def _on_grid(numbers: Tensor, map_: Tensor) -> NDArray[np.int64]:
    columns = map_.shape[-1]
    return torch.stack([numbers // columns, numbers % columns], dim=1).cpu().numpy()
