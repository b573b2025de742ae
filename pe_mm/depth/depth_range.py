"""The depths that a model can say, and how a head's outputs become one of them."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# Keeps weights positive where no bin has a positive logit; DINOv2's value.
_UNIFORM = 0.1


@dataclass(frozen=True)
class DepthRange:
    """Depths from ``nearest`` to ``farthest``, in metres.

    Attributes:
        nearest: The smallest depth, > 0.
        farthest: The largest depth.

    Raises:
        ValueError: Not 0 < nearest < farthest < infinity.
    """

    nearest: float
    farthest: float

    def __post_init__(self) -> None:
        """Check the limits."""
        if not (
            _is_number(self.nearest)
            and _is_number(self.farthest)
            and 0 < self.nearest < self.farthest < math.inf
        ):
            raise ValueError(
                'depth needs 0 < min_depth < max_depth < infinity, in metres, got '
                f'min_depth={self.nearest!r}, max_depth={self.farthest!r}'
            )

    def valid(self, depth: Tensor) -> Tensor:
        """Tell where a measured depth counts: nearest < depth <= farthest.

        0, NaN and infinity, which mean that nothing was measured, do not.
        """
        return (depth > self.nearest) & (depth <= self.farthest)

    def expectation(self, logits: Tensor) -> Tensor:
        """Return the mean of evenly spaced bins, weighted by relu(logit) + 0.1.

        DINOv2's "linear norm": the weights are divided by their sum. The centres go
        from ``nearest`` to ``farthest``, both included.

        Args:
            logits: (B, bins, H, W), of at least two bins.

        Returns:
            (B, 1, H, W), inside the range.
        """
        centres = torch.linspace(
            self.nearest,
            self.farthest,
            logits.shape[1],
            dtype=logits.dtype,
            device=logits.device,
        )
        weights = logits.relu() + _UNIFORM
        total = torch.einsum('bnhw,n->bhw', weights, centres)
        return (total / weights.sum(1)).unsqueeze(1)

    def squash(self, values: Tensor) -> Tensor:
        """Map any numbers into the range with a sigmoid."""
        return self.nearest + (self.farthest - self.nearest) * values.sigmoid()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
