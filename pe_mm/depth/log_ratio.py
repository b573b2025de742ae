"""Ratios of predicted to measured depth where depth was measured, 0 elsewhere."""

import torch
from torch import Tensor


def resolve_valid(depth: Tensor, target: Tensor, valid: Tensor | None) -> Tensor:
    """Return the mask of what counts.

    Args:
        depth: Predicted depth.
        target: Measured depth.
        valid: A mask; None for wherever ``target`` is finite and above 0.

    Raises:
        ValueError: The shapes differ.
    """
    if valid is None:
        valid = target.isfinite() & (target > 0)
    if not depth.shape == target.shape == valid.shape:
        raise ValueError(
            f'depth {tuple(depth.shape)}, measured depth {tuple(target.shape)} and '
            f'their mask {tuple(valid.shape)} must have one shape; resize the '
            'prediction to the measured depth first'
        )
    return valid


def masked_log_ratio(
    depth: Tensor, target: Tensor, valid: Tensor, *, eps: float
) -> Tensor:
    """Return log(depth + eps) - log(target + eps), in float32, and 0 where invalid.

    Whatever an invalid pixel holds, NaN and infinity too, reaches neither the ratio nor
    a gradient.
    """
    depth = torch.where(valid, depth.float(), 1)
    target = torch.where(valid, target.float(), 1)
    return torch.log(depth + eps) - torch.log(target + eps)
