"""Feature maps as tokens, and the checks that every alignment loss makes of them."""

import torch
import torch.nn.functional as F
from torch import Tensor


def to_tokens(feature_map: Tensor) -> Tensor:
    """List a map's tokens row by row.  (B, C, H, W) -> (B, H * W, C)."""
    return feature_map.flatten(2).transpose(1, 2)


def unit_tokens(tokens: Tensor) -> Tensor:
    """Scale every token to length 1, in single precision; zero tokens stay zero."""
    return F.normalize(tokens.float(), dim=-1)


def without_autocast(tensor: Tensor) -> torch.autocast:
    """Return a context in which nothing on the tensor's device loses precision."""
    return torch.autocast(tensor.device.type, enabled=False)


def check_tokens(student: Tensor, teacher: Tensor, *, same_width: bool) -> None:
    """Check that two sets of tokens can be compared.

    Args:
        student: Should be (B, N, C).
        teacher: Should be (B, N, K).
        same_width: Whether C and K must be equal.

    Raises:
        ValueError: A shape is another one.
    """
    shapes = f'student {tuple(student.shape)}, teacher {tuple(teacher.shape)}'
    if student.ndim != 3 or student.shape[:2] != teacher.shape[:2]:
        raise ValueError(
            f'tokens must be (B, N, C) with equal B and N, got {shapes}; maps of '
            'another grid must be brought to the same one first'
        )
    if same_width and student.shape != teacher.shape:
        raise ValueError(
            f'tokens must have the same number of channels, got {shapes}; project the '
            "student's to the teacher's width first"
        )
