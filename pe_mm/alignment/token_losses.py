"""Losses that compare each token of a student with the teacher's token in its place."""

import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from .tokens import check_tokens, unit_tokens, without_autocast

DISTANCES = {'smooth_l1': F.smooth_l1_loss, 'mse': F.mse_loss}


@MODELS.register_module()
class TokenCosineLoss(nn.Module):
    """Negative cosine similarity of student and teacher, mean over all tokens.

    The loss that moves PE-Core's layer 41 to the end of PE-Spatial (arXiv 2504.13181,
    section B.3.1). Its Equation 2 lacks the minus, as its authors say
    (facebookresearch/perception_models#43).

    Args:
        loss_weight: Factor of the result.
    """

    same_width = True

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss in single precision.

        Args:
            student: (B, N, C).
            teacher: (B, N, C), a constant.

        Returns:
            A scalar in [-1, 1] times ``loss_weight``.

        Raises:
            ValueError: The shapes differ.
        """
        check_tokens(student, teacher, same_width=True)
        with without_autocast(student):
            cosine = (unit_tokens(student) * unit_tokens(teacher.detach())).sum(-1)
            return -self.loss_weight * cosine.mean()


@MODELS.register_module()
class TokenDistanceLoss(nn.Module):
    """Smooth L1 or squared distance of student and teacher, mean over all entries.

    One way of distilling features directly (the paper says that its small PE-Spatial
    models are distilled directly, but not with which distance).

    Args:
        distance: 'smooth_l1' (with beta 1) or 'mse'.
        normalize_teacher: Give the teacher's tokens mean 0 and standard deviation 1
            over their channels (data2vec, arXiv 2202.03555): the length of residual
            streams differs by orders of magnitude between encoders and layers.
        loss_weight: Factor of the result.

    Raises:
        ValueError: The distance is unknown.
    """

    same_width = True

    def __init__(
        self,
        distance: str = 'smooth_l1',
        *,
        normalize_teacher: bool = True,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if distance not in DISTANCES:
            raise ValueError(
                f'distance must be one of {tuple(DISTANCES)}, got {distance!r}; the '
                'cosine is pe_mm.TokenCosineLoss'
            )
        self.distance = distance
        self.normalize_teacher = normalize_teacher
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss in single precision; arguments as of TokenCosineLoss.

        Raises:
            ValueError: The shapes differ.
        """
        check_tokens(student, teacher, same_width=True)
        with without_autocast(student):
            target = teacher.detach().float()
            if self.normalize_teacher:
                target = F.layer_norm(target, target.shape[-1:])
            distance = DISTANCES[self.distance](student.float(), target)
            return self.loss_weight * distance
