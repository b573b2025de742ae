"""The transformer block of the Perception Encoder.

Parameters have timm's names and shapes (``EvaBlock``). Without gradients the block
overwrites intermediate results that nobody else can see: on CPUs, fresh memory costs
more than the arithmetic.
"""

import torch
import torch.nn.functional as F
from timm.layers import DropPath
from timm.layers import Mlp as TimmMlp
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

from pe_mm.variants import Variant

from .position import rotate

# LayerNorm's epsilon in Meta's encoder and detectors.
NORM_EPS = 1e-5


def may_overwrite(*producers: nn.Module) -> bool:
    """Tell whether the last outputs of modules are seen by nobody else.

    Autograd may have saved them, a forward hook may have kept them, and a tracer or
    compiler plans memory by itself.
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    if torch.jit.is_tracing() or nn_module._global_forward_hooks:
        return False
    return not any(producer._forward_hooks for producer in producers)


class Mlp(TimmMlp):
    """Linear, exact GELU, linear."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform tokens.  (B, N, C) -> (B, N, C)."""
        hidden = self.fc1(x)
        if may_overwrite(self.fc1, self.act):
            hidden = torch.ops.aten.gelu_(hidden)
        else:
            hidden = self.act(hidden)
        return self.fc2(hidden)


class Attention(nn.Module):
    """Attend globally, with 2D RoPE on queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rope: Tensor) -> Tensor:
        """Attend.  (B, N, C), (N, C / heads / 2, 2) -> (B, N, C)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        in_place = may_overwrite(self.qkv)
        attended = F.scaled_dot_product_attention(
            rotate(q, rope, in_place=in_place).transpose(1, 2),
            rotate(k, rope, in_place=in_place).transpose(1, 2),
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
        self.mlp = Mlp(width, variant.mlp_width)
        self.gamma_1 = _layer_scale(variant)
        self.gamma_2 = _layer_scale(variant)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor, rope: Tensor) -> Tensor:
        """Refine tokens.  (B, N, C), (N, C / heads / 2, 2) -> (B, N, C)."""
        branch = self.attn(self.norm1(x), rope)
        x = self._add(x, branch, self.gamma_1, may_overwrite(self.attn, self.attn.proj))
        branch = self.mlp(self.norm2(x))
        return self._add(x, branch, self.gamma_2, may_overwrite(self.mlp, self.mlp.fc2))

    def _add(
        self, x: Tensor, branch: Tensor, gamma: Tensor | None, in_place: bool
    ) -> Tensor:
        in_place = in_place and branch.dtype == x.dtype
        if gamma is not None:
            branch = branch.mul_(gamma) if in_place else branch * gamma
        branch = self.drop_path(branch)
        # Into the branch, never into x: x may be an output of the encoder.
        return branch.add_(x) if in_place else x + branch


def _layer_scale(variant: Variant) -> nn.Parameter | None:
    if variant.layer_scale is None:
        return None
    return nn.Parameter(torch.full((variant.width,), variant.layer_scale))
