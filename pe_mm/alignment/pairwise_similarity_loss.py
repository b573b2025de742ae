"""The loss that compares how similar all pairs of tokens are, in linear memory."""

import math
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pe_mm.variants import check_count

from .tokens import check_tokens, unit_tokens, without_autocast


@MODELS.register_module()
class PairwiseSimilarityLoss(nn.Module):
    """Squared difference of two matrices of pairwise cosines, mean over all pairs.

    PE-Spatial's locality loss (arXiv 2504.13181, Eq. 3 and section B.3.1): tokens of
    the student should be as similar to each other as those of the teacher, whatever the
    widths. The teacher's similarity x is sharpened to exp(temperature * (x - 1)).

    The N x N matrices are computed a block of rows at a time, and so is the gradient,
    in the same pass: no more than ``block_rows`` rows exist at any time.

    Args:
        temperature: Of the sharpening, 20 in the paper; None to compare with the
            teacher's similarity as it is.
        block_rows: Rows that are computed at a time.
        loss_weight: Factor of the result.

    Raises:
        ValueError: The temperature is not positive, or ``block_rows`` no positive int.
    """

    same_width = False

    def __init__(
        self,
        temperature: float | None = 20.0,
        *,
        block_rows: int = 256,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if temperature is not None and not 0 < temperature < math.inf:
            raise ValueError(
                f'temperature must be > 0, or None for no sharpening; got {temperature}'
            )
        self.temperature = temperature
        self.block_rows = check_count('block_rows', block_rows)
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss in single precision.

        Args:
            student: (B, N, C).
            teacher: (B, N, K), a constant.

        Returns:
            A scalar >= 0.

        Raises:
            ValueError: B or N differ.
        """
        check_tokens(student, teacher, same_width=False)
        with without_autocast(student):
            loss: Tensor = _SquaredDifference.apply(
                unit_tokens(student),
                unit_tokens(teacher.detach()),
                self.temperature,
                self.block_rows,
            )
            return self.loss_weight * loss


class _SquaredDifference(torch.autograd.Function):
    """mean((s s^T - f(t t^T))^2) of unit tokens s and t; its gradient is found at once.

    The matrix D of differences is symmetric, so the gradient is 4 D s / (B N N), which
    each block of rows gives for its own tokens.
    """

    @staticmethod
    def forward(
        ctx: Any, student: Tensor, teacher: Tensor, temperature: float | None, rows: int
    ) -> Tensor:
        batch, count = student.shape[:2]
        pairs = batch * count**2
        gradient = torch.empty_like(student) if ctx.needs_input_grad[0] else None
        loss = student.new_zeros(())
        for start in range(0, count, rows):
            block = slice(start, start + rows)
            difference = student[:, block] @ student.mT
            target = teacher[:, block] @ teacher.mT
            if temperature is not None:
                target.sub_(1).mul_(temperature).exp_()
            difference.sub_(target)
            loss += difference.square().sum() / pairs
            if gradient is not None:
                gradient[:, block] = (difference @ student).mul_(4 / pairs)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None, None, None
