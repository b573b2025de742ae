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
from .windows import Windows

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


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Mix values by softmax attention.  Three (B, heads, N, D) -> (B, heads, N, D).

    On CPUs, torch 2.13's kernel takes 2 to 4 times as long for gradients of bfloat16
    as of float32, so that autocast leaves attention out where it trains there.
    """
    if (
        q.device.type == 'cpu'
        and torch.is_grad_enabled()
        and torch.is_autocast_enabled('cpu')
    ):
        with torch.autocast('cpu', enabled=False):
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    return F.scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """Attend within each sequence, with 2D RoPE on queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(
        self, x: Tensor, rope: Tensor, windows: Windows | None = None
    ) -> Tensor:
        """Attend.

        Args:
            x: (B, N, C).
            rope: (N, C / heads / 2, 2), of one window where there are windows.
            windows: How ``x`` is, or where it needs padding is to be, split into
                windows; None for attention among all N tokens.

        Returns:
            (B, N, C).
        """
        q, k, v = self.project(x, rope, windows)
        attended = attend(q, k, v)
        attended = attended.transpose(1, 2).flatten(2)
        if windows is not None and not windows.divides:
            attended = windows.crop(attended)
        return self.proj(attended)

    def project(
        self, x: Tensor, rope: Tensor, windows: Windows | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries and keys, both rotated, and values; arguments as in forward.

        Returns:
            Three (B, heads, N, C / heads), of all windows where ``x`` is to be split.
        """
        qkv = self.qkv(x)
        if windows is not None and not windows.divides:
            # The projection of a zero token.
            qkv = windows.pad(qkv, self.qkv.bias)
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).unbind(2)
        in_place = may_overwrite(self.qkv)
        q, k = (rotate(part, rope, in_place=in_place) for part in (q, k))
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


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

    def forward(
        self, x: Tensor, rope: Tensor, windows: Windows | None = None
    ) -> Tensor:
        """Refine tokens; arguments and result are those of ``Attention``."""
        branch = self.attn(self.norm1(x), rope, windows)
        in_place = may_overwrite(self.attn, self.attn.proj, self.drop_path)
        x = self._add(x, branch, self.gamma_1, windows, in_place)
        branch = self.mlp(self.norm2(x))
        in_place = may_overwrite(self.mlp, self.mlp.fc2, self.drop_path)
        return self._add(x, branch, self.gamma_2, windows, in_place)

    def _add(
        self,
        x: Tensor,
        branch: Tensor,
        gamma: Tensor | None,
        windows: Windows | None,
        in_place: bool,
    ) -> Tensor:
        in_place = in_place and branch.dtype == x.dtype
        if gamma is not None:
            branch = branch.mul_(gamma) if in_place else branch * gamma
        if windows is None:
            branch = self.drop_path(branch)
        else:
            # One draw for all windows of an image.
            branch = self.drop_path(windows.by_image(branch)).view_as(branch)
        # Into the branch, never into x: x may be an output of the encoder.
        return branch.add_(x) if in_place else x + branch


def _layer_scale(variant: Variant) -> nn.Parameter | None:
    if variant.layer_scale is None:
        return None
    return nn.Parameter(torch.full((variant.width,), variant.layer_scale))
