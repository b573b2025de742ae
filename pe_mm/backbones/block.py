"""The transformer block of the Perception Encoder.

Parameters have timm's names and shapes (``EvaBlock``). Without gradients the block
works in place on tensors it made itself: on CPUs, fresh memory costs more than the
arithmetic.
"""

import torch
import torch.nn.functional as F
from timm.layers import DropPath, Mlp
from torch import Tensor, nn

from pe_mm.variants import Variant

from .position import rotate

# LayerNorm's epsilon in Meta's encoder and detectors.
NORM_EPS = 1e-5


class InPlaceGELU(nn.GELU):
    """Apply the exact GELU, in place where no gradient is needed."""

    def forward(self, x: Tensor) -> Tensor:
        """Return GELU of ``x``, any shape."""
        return F.gelu(x) if torch.is_grad_enabled() else torch.ops.aten.gelu_(x)


class Attention(nn.Module):
    """Attend globally, with 2D RoPE on queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rope: Tensor) -> Tensor:
        """Attend.  (B, N, C), (N, C / heads / 2, 2) -> (B, N, C)."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.unbind(2)
        attended = F.scaled_dot_product_attention(
            rotate(q, rope).transpose(1, 2),
            rotate(k, rope).transpose(1, 2),
            v.transpose(1, 2),
        )
        return self.proj(attended.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Pre-norm transformer block, optionally with LayerScale and drop path."""

    def __init__(self, variant: Variant, *, drop_path: float = 0.0) -> None:
        super().__init__()
        width = variant.width
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, variant.heads)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, variant.mlp_width, act_layer=InPlaceGELU)
        self.gamma_1 = _layer_scale(variant)
        self.gamma_2 = _layer_scale(variant)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor, rope: Tensor) -> Tensor:
        """Refine tokens.  (B, N, C), (N, C / heads / 2, 2) -> (B, N, C)."""
        x = self._add(x, self.attn(self.norm1(x), rope), self.gamma_1)
        return self._add(x, self.mlp(self.norm2(x)), self.gamma_2)

    def _add(self, x: Tensor, branch: Tensor, gamma: Tensor | None) -> Tensor:
        in_place = not torch.is_grad_enabled() and branch.dtype == x.dtype
        if gamma is not None:
            branch = branch.mul_(gamma) if in_place else branch * gamma
        branch = self.drop_path(branch)
        # Into the branch, never into x: x may be an output of the encoder.
        return branch.add_(x) if in_place else x + branch


def _layer_scale(variant: Variant) -> nn.Parameter | None:
    if variant.layer_scale is None:
        return None
    return nn.Parameter(torch.full((variant.width,), variant.layer_scale))
