"""Random masks of patches (MaskFeat, arXiv 2112.09133), for alignment and training."""

import math

import torch
from torch import Tensor

from pe_mm.variants import check_count


def random_block_mask(
    batch: int,
    grid: tuple[int, int],
    ratio: float,
    unit: int = 2,
    *,
    device: torch.device | str | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Hide the same number of random square blocks of patches in each image.

    Args:
        batch: Number of images.
        grid: Rows and columns of patches.
        ratio: Fraction of blocks to hide, in [0, 1]; rounded to whole blocks.
        unit: Side of a block in patches; blocks at the right and bottom are cut where
            it does not divide the grid. Perception Encoder's is 2 (arXiv 2504.13181,
            table 22).
        device: Where to make the mask.
        generator: Source of randomness, on that device; None for torch's own.

    Returns:
        (batch, rows, columns) bool, true where a patch is hidden.

    Raises:
        ValueError: The ratio is outside [0, 1], or the unit no positive int.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f'the ratio of hidden blocks must be in [0, 1], got {ratio!r}')
    check_count('unit', unit)
    rows, columns = (math.ceil(length / unit) for length in grid)
    noise = torch.rand(batch, rows * columns, device=device, generator=generator)
    rank = noise.argsort(dim=1).argsort(dim=1)
    hidden = (rank < round(ratio * rows * columns)).view(batch, rows, columns)
    hidden = hidden.repeat_interleave(unit, dim=1).repeat_interleave(unit, dim=2)
    return hidden[:, : grid[0], : grid[1]]
