"""The encoder of Meta's detectors, written down plainly to check the real one against.

Everything is done as detectron2 does it, token by token and in double precision: every
windowed block pads the normalised map with zeros, cuts it into windows, attends with
explicit products and rotations, and puts the map together again.
"""

import math
from collections.abc import Collection, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-5


def naive_maps(
    weights: Mapping[str, Tensor],
    image: Tensor,
    *,
    heads: int,
    window_size: int | None,
    global_blocks: Collection[int] = (),
    reference_size: int | None = None,
    position_embedding: str = 'resize',
) -> list[Tensor]:
    """Return the map after every block.

    Args:
        weights: State dict of an encoder without class token, in our names; gradients
            flow to it.
        image: (B, 3, H, W).
        heads: Attention heads.
        window_size: Side of a window in tokens, or None.
        global_blocks: Blocks whose attention is not windowed.
        reference_size: RoPE's pre-training length; None for integer positions.
        position_embedding: 'resize', 'resize_bicubic' or 'tile'.

    Returns:
        (B, C, rows, columns) for each block, double precision.
    """
    weights = {name: tensor.double() for name, tensor in weights.items()}
    kernel = weights['patch_embed.proj.weight']
    patch = kernel.shape[-1]
    height, width = image.shape[-2:]
    image = F.pad(image.double(), (0, -width % patch, 0, -height % patch))
    x = F.conv2d(image, kernel, stride=patch).permute(0, 2, 3, 1)
    x = x + _positions(weights['pos_embed'], x.shape[1:3], position_embedding)
    x = _norm(x, weights, 'norm_pre')
    maps = []
    for block in range(sum(name.endswith('norm1.weight') for name in weights)):
        prefix = f'blocks.{block}.'
        own = {n[len(prefix) :]: t for n, t in weights.items() if n.startswith(prefix)}
        size = None if block in global_blocks else window_size
        y = _attend_in_windows(_norm(x, own, 'norm1'), own, heads, size, reference_size)
        x = x + y * own.get('gamma_1', 1.0)
        hidden = F.linear(
            _norm(x, own, 'norm2'), own['mlp.fc1.weight'], own['mlp.fc1.bias']
        )
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
        y = F.linear(hidden, own['mlp.fc2.weight'], own['mlp.fc2.bias'])
        x = x + y * own.get('gamma_2', 1.0)
        maps.append(x.permute(0, 3, 1, 2))
    return maps


def _norm(x: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    x = x - x.mean(-1, keepdim=True)
    x = x / (x.square().mean(-1, keepdim=True) + EPS).sqrt()
    return x * weights[f'{name}.weight'] + weights[f'{name}.bias']


def _positions(embedding: Tensor, grid: tuple[int, int], method: str) -> Tensor:
    side = round(embedding.shape[1] ** 0.5)
    square = embedding.reshape(side, side, -1)
    if method == 'tile':
        rows, columns = (torch.arange(length) % side for length in grid)
        return square[rows][:, columns]
    mode = {'resize': 'bilinear', 'resize_bicubic': 'bicubic'}[method]
    fitted = F.interpolate(
        square.permute(2, 0, 1)[None], tuple(grid), mode=mode, align_corners=False
    )
    return fitted[0].permute(1, 2, 0)


def _attend_in_windows(
    x: Tensor,
    weights: Mapping[str, Tensor],
    heads: int,
    size: int | None,
    reference_size: int | None,
) -> Tensor:
    rows, columns = x.shape[1:3]
    if size is None:
        return _attend(x, weights, heads, reference_size)
    padded = F.pad(x, (0, 0, 0, -columns % size, 0, -rows % size))
    out = torch.zeros_like(padded)
    for top in range(0, rows, size):
        for left in range(0, columns, size):
            window = (
                slice(None),
                slice(top, top + size),
                slice(left, left + size),
            )
            out[window] = _attend(padded[window], weights, heads, reference_size)
    return out[:, :rows, :columns]


def _attend(
    x: Tensor, weights: Mapping[str, Tensor], heads: int, reference_size: int | None
) -> Tensor:
    rows, columns, width = x.shape[1:]
    tokens = x.flatten(1, 2)
    qkv = F.linear(tokens, weights['attn.qkv.weight'], weights['attn.qkv.bias'])
    q, k, v = (
        part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1)
    )
    angles = _angles(rows, columns, width // heads, reference_size)
    q, k = (x * angles.cos() + _rotate_half(x) * angles.sin() for x in (q, k))
    scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
    attended = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    out = F.linear(attended, weights['attn.proj.weight'], weights['attn.proj.bias'])
    return out.unflatten(1, (rows, columns))


def _angles(
    rows: int, columns: int, head_dim: int, reference_size: int | None
) -> Tensor:
    """Return the angle of each channel by Meta's formula: column first, then row."""
    half = head_dim // 2
    channel = torch.arange(half, dtype=torch.float64) // 2
    frequency = 10000.0 ** (-2 * channel / half)
    positions = []
    for length in (rows, columns):
        i = torch.arange(length, dtype=torch.float64)
        positions.append(
            i if reference_size is None else i / length * reference_size + 1
        )
    of_row = (positions[0][:, None] * frequency)[:, None].expand(-1, columns, -1)
    of_column = (positions[1][:, None] * frequency)[None].expand(rows, -1, -1)
    return torch.cat([of_column, of_row], dim=-1).flatten(0, 1)


def _rotate_half(x: Tensor) -> Tensor:
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack((-odd, even), dim=-1).flatten(-2)
