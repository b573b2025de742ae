"""The scale-invariant loss of log depth."""

import math

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from .log_ratio import masked_log_ratio, resolve_valid

_EPS = 1e-3  # In metres, added to depths before the logarithm; DINOv2's value.


@MODELS.register_module()
class ScaleInvariantLogLoss(nn.Module):
    """Penalise errors of log depth, and a common factor of all depths less.

    With g = log(depth) - log(measured) over all valid pixels of the batch (eps 1e-3 m
    in both logarithms): sqrt(var(g) + mean_weight * mean(g)^2). That is AdaBins' and
    DINOv2's form, and the root of Eigen's (arXiv 1406.2283, equation 4):
    mean(g^2) - lambda * mean(g)^2 with lambda = 1 - mean_weight. The variance is that
    over n pixels, not n - 1.

    In the first iterations the variance is left out, as in DINOv2's configs: a head
    first learns the scale. Their count is in the state dict, so that a resumed training
    does not warm up again.

    It computes in float32. A perfect prediction has loss 0 and gradient 0; so has a
    batch without valid depth.

    Args:
        loss_weight: Factor of the loss.
        mean_weight: Weight of the squared mean, in [0, 1]; 0 makes the loss blind to
            the scale.
        warm_iters: Training iterations without the variance.
        loss_name: Key of the loss in the log; it counts only if 'loss_' begins it.

    Raises:
        ValueError: ``mean_weight`` is not in [0, 1], or ``warm_iters`` is negative.
    """

    iteration: Tensor

    def __init__(
        self,
        loss_weight: float = 1.0,
        *,
        mean_weight: float = 0.15,
        warm_iters: int = 100,
        loss_name: str = 'loss_silog',
    ) -> None:
        super().__init__()
        if not 0 <= mean_weight <= 1:
            raise ValueError(
                'mean_weight must be in [0, 1] (1 - lambda of the loss by Eigen et '
                f'al.), got {mean_weight}'
            )
        if warm_iters < 0:
            raise ValueError(f'warm_iters must be at least 0, got {warm_iters}')
        self.loss_weight = loss_weight
        self.mean_weight = mean_weight
        self.warm_iters = warm_iters
        self.loss_name = loss_name
        self.register_buffer('iteration', torch.zeros((), dtype=torch.long))

    def forward(
        self, depth: Tensor, target: Tensor, valid: Tensor | None = None
    ) -> Tensor:
        """Return the loss, a scalar.

        Args:
            depth: Predicted depth > 0 in metres, of any shape.
            target: Measured depth in metres, of the same shape.
            valid: Where it counts, a mask of the same shape; None for wherever it is
                finite and above 0.

        Raises:
            ValueError: The shapes differ.
        """
        valid = resolve_valid(depth, target, valid)
        with torch.autocast(depth.device.type, enabled=False):
            ratio = masked_log_ratio(depth, target, valid, eps=_EPS)
            count = valid.sum().clamp(min=1)
            mean = ratio.sum() / count
            # Unlike a square root, the norm has gradient 0 at 0.
            centred = torch.where(valid, ratio - mean, 0)
            spread = torch.linalg.vector_norm(centred) / count.sqrt()
            if self.training:
                spread = torch.where(self.iteration < self.warm_iters, 0, spread)
                self.iteration += 1
            terms = torch.stack([spread, math.sqrt(self.mean_weight) * mean])
            return self.loss_weight * torch.linalg.vector_norm(terms)
