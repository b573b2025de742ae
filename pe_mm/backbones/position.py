"""Absolute position embedding and 2D RoPE, as Meta's encoder computes them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Base of RoPE's wavelengths (Meta's Rope2D; the common value of RoFormer).
ROPE_BASE = 10000.0


def resize_position_embedding(
    embedding: Tensor, grid: tuple[int, int], *, class_token: bool
) -> Tensor:
    """Resize a square position embedding to a grid, as Meta's encoder does.

    Bilinear, ``align_corners=False``, without antialiasing: another filter moves
    off-grid features by as much as 10 % of their range.

    Args:
        embedding: (1, [1 +] side * side, C), the class token's row first if any.
        grid: Rows and columns of patches.
        class_token: Whether ``embedding`` has a class-token row; it is kept unchanged.

    Returns:
        (1, [1 +] rows * columns, C).
    """
    prefix = int(class_token)
    # int(): while a model is traced, sizes are tensors.
    side = math.isqrt(int(embedding.shape[1]) - prefix)
    if grid == (side, side):
        return embedding
    patches = embedding[:, prefix:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
    # At least fp32: bilinear weights in half precision move whole rows.
    resized = F.interpolate(_at_least_fp32(patches), size=grid, mode='bilinear')
    resized = resized.flatten(2).transpose(1, 2).to(embedding.dtype)
    return torch.cat([embedding[:, :prefix], resized], dim=1)


def rope_table(
    grid: tuple[int, int],
    head_dim: int,
    *,
    class_token: bool,
    device: torch.device | None = None,
) -> Tensor:
    """Return the rotations (cosine, sine) of 2D RoPE for a grid of patches.

    The first half of a head's channels turns with the column, the second with the row,
    in interleaved pairs. Positions are integers at every grid size (Meta's encoder
    extrapolates, it never rescales). With a class token, that token stays unrotated and
    the patches count from 1; without, they count from 0.

    Args:
        grid: Rows and columns of patches.
        head_dim: Channels of a head, a multiple of 4.
        class_token: Whether the first token is a class token.
        device: Where to make the table.

    Returns:
        ([1 +] rows * columns, head_dim / 2, 2): cosine and sine of each pair's angle.
    """
    axis_dim = head_dim // 2
    exponents = torch.arange(0, axis_dim, 2, device=device, dtype=torch.float32)
    frequencies = 1.0 / ROPE_BASE ** (exponents / axis_dim)
    rows, columns = (
        torch.arange(length, device=device, dtype=torch.float32) + int(class_token)
        for length in grid
    )
    angles = torch.cat(
        [
            (columns[:, None] * frequencies).expand(grid[0], -1, -1),
            (rows[:, None, None] * frequencies).expand(-1, grid[1], -1),
        ],
        dim=-1,
    ).flatten(0, 1)
    if class_token:
        angles = F.pad(angles, (0, 0, 1, 0))
    return torch.stack([angles.cos(), angles.sin()], dim=-1)


def rotate(x: Tensor, table: Tensor, *, in_place: bool = False) -> Tensor:
    """Rotate interleaved channel pairs by RoPE's table, in fp32 or finer.

    Args:
        x: (B, N, heads, head_dim).
        table: (N, head_dim / 2, 2), from ``rope_table``.
        in_place: Whether ``x`` may be overwritten.

    Returns:
        (B, N, heads, head_dim), in the dtype of ``x``.
    """
    table = table.unsqueeze(1)  # one rotation for all heads
    pairs = _at_least_fp32(x).unflatten(-1, (-1, 2))
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        # Compilers fuse real arithmetic into one kernel, but not complex products.
        even, odd = pairs.unbind(-1)
        cos, sin = table.unbind(-1)
        turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
        return turned.flatten(-2).type_as(x)
    # Eagerly, one complex product replaces six passes over memory.
    numbers, rotations = torch.view_as_complex(pairs), torch.view_as_complex(table)
    numbers = numbers.mul_(rotations) if in_place else numbers * rotations
    return torch.view_as_real(numbers).flatten(-2).type_as(x)


def _at_least_fp32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
