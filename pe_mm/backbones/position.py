"""Absolute position embedding and 2D RoPE, as Meta's encoder and detectors do."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pe_mm.variants import check_count

# Base of RoPE's wavelengths (Meta's Rope2D; the common value of RoFormer).
ROPE_BASE = 10000.0
ROPE_MODES = ('extrapolate', 'rescale')
_INTERPOLATIONS = {'resize': 'bilinear', 'resize_bicubic': 'bicubic'}
POSITION_METHODS = (*_INTERPOLATIONS, 'tile')


def resize_position_embedding(
    embedding: Tensor,
    grid: tuple[int, int],
    *,
    class_token: bool,
    method: str = 'resize',
) -> Tensor:
    """Fit a square position embedding to a grid; at its own grid it stays as it is.

    Meta's encoder resizes bilinearly (``align_corners=False``, without antialiasing:
    another filter moves off-grid features by as much as 10 % of their range). Meta's
    detectors tile: a window as large as the trained grid then sees what it was trained
    with ("Absolute Win").

    Args:
        embedding: (1, [1 +] side * side, C), the class token's row first if any.
        grid: Rows and columns of patches.
        class_token: Whether ``embedding`` has a class-token row; it is kept unchanged.
        method: One of ``POSITION_METHODS``: 'resize' (bilinear), 'resize_bicubic' or
            'tile' (repeated right and down, and cut).

    Returns:
        (1, [1 +] rows * columns, C).
    """
    prefix = int(class_token)
    # int(): while a model is traced, sizes are tensors.
    side = math.isqrt(int(embedding.shape[1]) - prefix)
    if grid == (side, side):
        return embedding
    patches = embedding[:, prefix:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
    if method == 'tile':
        repeats = [math.ceil(length / side) for length in grid]
        fitted = patches.repeat(1, 1, *repeats)[:, :, : grid[0], : grid[1]]
    else:
        # At least fp32: interpolation weights in half precision move whole rows.
        fitted = F.interpolate(
            _at_least_fp32(patches), size=grid, mode=_INTERPOLATIONS[method]
        )
    fitted = fitted.flatten(2).transpose(1, 2).to(embedding.dtype)
    return torch.cat([embedding[:, :prefix], fitted], dim=1)


def rope_table(
    grid: tuple[int, int],
    head_dim: int,
    *,
    class_token: bool,
    reference_size: int | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Return the rotations (cosine, sine) of 2D RoPE for a grid of patches.

    The first half of a head's channels turns with the column, the second with the row,
    in interleaved pairs. With a class token, that token stays unrotated and the patches
    count from 1; without, they count from 0 (only differences matter).

    Args:
        grid: Rows and columns of patches: of the whole map, or of a window.
        head_dim: Channels of a head, a multiple of 4.
        class_token: Whether the first token is a class token.
        reference_size: Positions along each axis are scaled by ``reference_size`` /
            length, so that every grid spans the same angles (Meta's detectors). None
            leaves them integers at every grid size (Meta's encoder).
        device: Where to make the table.

    Returns:
        ([1 +] rows * columns, head_dim / 2, 2): cosine and sine of each pair's angle.
    """
    axis_dim = head_dim // 2
    exponents = torch.arange(0, axis_dim, 2, device=device, dtype=torch.float32)
    frequencies = 1.0 / ROPE_BASE ** (exponents / axis_dim)
    rows, columns = (
        torch.arange(length, device=device, dtype=torch.float32)
        * (1.0 if reference_size is None else reference_size / length)
        + int(class_token)
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


def check_position_method(method: str) -> str:
    """Return the name of a way to fit a position embedding to a grid.

    Raises:
        ValueError: It is none of ``POSITION_METHODS``.
    """
    if method not in POSITION_METHODS:
        raise ValueError(
            f'position_embedding must be one of {POSITION_METHODS}, got {method!r}'
        )
    return method


def resolve_rope(mode: str, reference_size: int | None, *, default: int) -> int | None:
    """Return the ``reference_size`` of ``rope_table``.

    Args:
        mode: One of ``ROPE_MODES``.
        reference_size: In tokens, for 'rescale' only; None for the default.
        default: In tokens.

    Raises:
        ValueError: The mode is unknown, or the size is no positive count or is given
            with 'extrapolate'.
    """
    if mode not in ROPE_MODES:
        raise ValueError(f'rope must be one of {ROPE_MODES}, got {mode!r}')
    if mode == 'rescale':
        return check_count(
            'rope_reference_size', default if reference_size is None else reference_size
        )
    if reference_size is not None:
        raise ValueError(
            f"rope_reference_size={reference_size!r} is for rope='rescale'; with "
            "rope='extrapolate' positions are never scaled, so leave it out"
        )
    return None


def _at_least_fp32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
