"""Matching the edges of depth at several scales."""

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from pe_mm.variants import check_count

from .log_ratio import masked_log_ratio, resolve_valid

_EPS = 1e-3  # In metres, added to depths before the logarithm; DINOv2's value.


@MODELS.register_module()
class DepthGradientLoss(nn.Module):
    """Penalise steps of log depth that differ from the measured ones.

    MegaDepth's multi-scale gradient term (arXiv 1804.00607, section 4.2): with
    r = log(depth) - log(measured), the mean of |r - right neighbour's r| plus the mean
    of |r - lower neighbour's r|, added over scales of which each takes every second row
    and column of the one before. The means are over pairs of which both are valid, in
    the whole batch; a scale without any adds 0.

    It computes in float32.

    Args:
        loss_weight: Factor of the loss; DINOv2's 0.5.
        scales: How many scales.
        loss_name: Key of the loss in the log; it counts only if 'loss_' begins it.

    Raises:
        ValueError: ``scales`` is no int >= 1.
    """

    def __init__(
        self,
        loss_weight: float = 0.5,
        *,
        scales: int = 4,
        loss_name: str = 'loss_gradient',
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.scales = check_count('scales', scales)
        self.loss_name = loss_name

    def forward(
        self, depth: Tensor, target: Tensor, valid: Tensor | None = None
    ) -> Tensor:
        """Return the loss, a scalar.

        Args:
            depth: Predicted depth > 0 in metres, (..., H, W).
            target: Measured depth in metres, of the same shape.
            valid: Where it counts, a mask of the same shape; None for wherever it is
                finite and above 0.

        Raises:
            ValueError: The shapes differ.
        """
        valid = resolve_valid(depth, target, valid)
        with torch.autocast(depth.device.type, enabled=False):
            ratio = masked_log_ratio(depth, target, valid, eps=_EPS)
            total = ratio.new_zeros(())
            for scale in range(self.scales):
                step = 2**scale
                rows, mask = ratio[..., ::step, ::step], valid[..., ::step, ::step]
                total = total + _mean_step(rows, mask, -1) + _mean_step(rows, mask, -2)
            return self.loss_weight * total


def _mean_step(ratio: Tensor, valid: Tensor, dim: int) -> Tensor:
    """Return the mean size of steps between valid neighbours along a dimension."""
    length = ratio.shape[dim] - 1
    both = valid.narrow(dim, 1, length) & valid.narrow(dim, 0, length)
    steps = torch.where(both, ratio.diff(dim=dim), 0)
    return steps.abs().sum() / both.sum().clamp(min=1)
