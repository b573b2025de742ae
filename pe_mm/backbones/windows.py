"""Windowed attention: which blocks have it, and how tokens are grouped for it."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pe_mm.layers import resolve_layers
from pe_mm.variants import check_count


class Windows:
    """Square, non-overlapping windows over a grid of tokens.

    Where they divide the grid, ``split`` orders the tokens by window once, and a run of
    windowed blocks works on the windows as on a batch. Where they do not, tokens stay
    where they are, and each attention pads them with ``pad``: what an attention sees at
    a padded place is a zero token, whose query, key and value are the biases, so
    neither the MLP nor the projections compute anything for it.

    Args:
        size: Side of a window in tokens.
        grid: Rows and columns of tokens.
        device: Where to keep the index of padded windows.

    Attributes:
        size: Side of a window in tokens.
        divides: Whether the windows divide the grid.

    Raises:
        ValueError: A window is larger than the grid in both directions.
    """

    def __init__(
        self, size: int, grid: tuple[int, int], device: torch.device | None = None
    ) -> None:
        if size > max(grid):
            raise ValueError(
                f'window_size={size} is larger than the grid of {grid[0]} x {grid[1]} '
                'tokens; use a smaller window, larger images, or window_size=None '
                '(attention over the whole grid)'
            )
        self.size = size
        self.counts = [math.ceil(length / size) for length in grid]
        self.divides = all(length % size == 0 for length in grid)
        if not self.divides:
            row, column = (torch.arange(length, device=device) for length in grid)
            window = row[:, None] // size * self.counts[1] + column // size
            place = row[:, None] % size * size + column % size
            # Each token's place among the tokens of all windows, padding included.
            self._places = (window * size**2 + place).flatten()

    def split(self, x: Tensor) -> Tensor:
        """Group tokens by window.

        Args:
            x: (B, rows * columns, C).

        Returns:
            (B * windows, size * size, C); ``x`` itself where windows need padding.
        """
        if not self.divides:
            return x
        rows, columns = self.counts
        x = x.unflatten(1, (rows, self.size, columns, self.size))
        return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)

    def join(self, x: Tensor) -> Tensor:
        """Undo ``split``.

        Args:
            x: What ``split`` returned, or tokens of that shape.

        Returns:
            (B, rows * columns, C).
        """
        if not self.divides:
            return x
        rows, columns = self.counts
        x = x.unflatten(1, (self.size, self.size)).unflatten(0, (-1, rows, columns))
        return x.transpose(2, 3).flatten(1, 4)

    def by_image(self, x: Tensor) -> Tensor:
        """View what ``split`` returned with one entry of the batch per image.

        Args:
            x: (B * windows, size * size, C), or (B, rows * columns, C) where windows
                need padding.

        Returns:
            (B, windows, size * size, C), or ``x``.
        """
        if not self.divides:
            return x
        return x.unflatten(0, (-1, self.counts[0] * self.counts[1]))

    def pad(self, x: Tensor, filling: Tensor) -> Tensor:
        """Lay tokens out by window, with padding right and below.

        Args:
            x: (B, rows * columns, C).
            filling: (C,), the value of padded places.

        Returns:
            (B * windows, size * size, C).
        """
        area = self.size**2
        total = self.counts[0] * self.counts[1] * area
        empty = filling.to(x.dtype).expand(x.shape[0], total, -1)
        return (
            empty.index_copy(1, self._places, x).unflatten(1, (-1, area)).flatten(0, 1)
        )

    def crop(self, x: Tensor) -> Tensor:
        """Undo ``pad``.

        Args:
            x: (B * windows, size * size, C).

        Returns:
            (B, rows * columns, C).
        """
        windows = self.counts[0] * self.counts[1]
        return x.unflatten(0, (-1, windows)).flatten(1, 2)[:, self._places]


def resolve_windows(
    window_size: int | None,
    global_blocks: str | int | Sequence[int],
    *,
    built: int,
    depth: int,
) -> tuple[bool, ...]:
    """Tell for each block that is built whether its attention is windowed.

    Args:
        window_size: Side of a window in tokens; None for attention over the whole grid
            in every block.
        global_blocks: Blocks that attend over the whole grid, as in
            ``pe_mm.layers.resolve_layers``; an empty tuple for none.
        built: Number of blocks that are built.
        depth: Number of blocks of the whole encoder.

    Raises:
        ValueError: The window is no positive count, a global block does not exist or is
            not built, or there are global blocks without a window.
    """
    # A list and a tuple may be empty; a tensor or an array has no truth value.
    empty = isinstance(global_blocks, (list, tuple)) and not global_blocks
    if window_size is None:
        if not empty:
            raise ValueError(
                f'global_blocks={global_blocks!r} needs window_size: without it every '
                'block attends over the whole grid; give window_size, or leave '
                'global_blocks out'
            )
        return (False,) * built
    check_count('window_size', window_size)
    chosen = () if empty else _resolve_global(global_blocks, depth)
    absent = [block for block in chosen if block >= built]
    if absent:
        raise ValueError(
            f'global_blocks: {absent} are not built, the last layer of out_indices is '
            f'{built - 1}; leave them out of global_blocks, or ask for a later layer'
        )
    return tuple(block not in chosen for block in range(built))


def _resolve_global(blocks: str | int | Sequence[int], depth: int) -> tuple[int, ...]:
    try:
        return resolve_layers(blocks, depth)
    except ValueError as error:
        raise ValueError(f'global_blocks: {error}') from error
