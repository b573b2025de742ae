"""Binary cross entropy over the classes that a batch can say something about."""

import torch
import torch.nn.functional as F
from mmdet.models.losses.accuracy import accuracy
from mmdet.models.losses.utils import weight_reduce_loss
from mmengine.registry import MODELS
from torch import Tensor, nn

from pe_mm.variants import check_count


@MODELS.register_module()
class FederatedLoss(nn.Module):
    """Federated loss for the classes of mmdet's box heads (arXiv 2103.07461).

    LVIS does not say of every class whether it is in an image, so an image without a
    label of some class is a poor negative for it. Every step takes a small set of
    classes: those of the batch, topped up by classes drawn at random, frequent ones
    more often. The loss is the binary cross entropy of their logits, summed over
    classes and averaged over RoIs; the other classes get no gradient.

    The head gets one column per class and none for the background: there all scores
    are low. mmdet's box heads ask the loss for that, as they ask its SeesawLoss.

    The weights of the draw are the buffer ``class_weights`` (K,), which
    ``pe_mm.FederatedClassesHook`` fills before training and checkpoints carry along.

    Args:
        num_classes: K, classes of the head without the background.
        set_size: What the set is topped up to; all of the batch's classes are in it,
            however many they are. The background counts where the batch has some, so
            50 leaves 49 classes, as in detectron2.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: ``num_classes`` or ``set_size`` is no positive whole number.
    """

    # What mmdet's box heads ask a loss for: whether it decides over their columns,
    # scores and logged accuracy.
    custom_cls_channels = True
    custom_activation = True
    custom_accuracy = True

    class_weights: Tensor

    def __init__(
        self, num_classes: int, *, set_size: int = 50, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.num_classes = check_count('num_classes', num_classes)
        self.set_size = check_count('set_size', set_size)
        self.loss_weight = loss_weight
        # All zero: not known yet.
        self.register_buffer('class_weights', torch.zeros(num_classes))

    def forward(
        self,
        cls_score: Tensor,
        labels: Tensor,
        label_weights: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss of a batch of RoIs.

        Args:
            cls_score: Logits (N, K).
            labels: Class ids (N,), K for the background.
            label_weights: Factor of each RoI (N,); None for 1.
            avg_factor: What the sum over RoIs is divided by; None for N.
            reduction_override: 'none' for one loss per RoI, 'mean' or 'sum'; None for
                'mean'.

        Returns:
            The loss, a scalar in float32, or (N,) with 'none'.

        Raises:
            ValueError: The logits have not K columns, a label is not in 0..K, or the
                weights of the draw are not known.
        """
        self._check_columns(cls_score)
        classes = self.draw_classes(labels)
        loss = F.binary_cross_entropy_with_logits(
            cls_score[:, classes].float(),
            (labels[:, None] == classes).float(),
            reduction='none',
        ).sum(dim=1)
        reduction = reduction_override or 'mean'
        if avg_factor is None and reduction == 'mean':
            avg_factor = max(len(labels), 1)
        weight = None if label_weights is None else label_weights.float()
        reduced: Tensor = weight_reduce_loss(loss, weight, reduction, avg_factor)
        return self.loss_weight * reduced

    @torch.no_grad()
    def draw_classes(self, labels: Tensor) -> Tensor:
        """Draw the set of classes for a batch.

        Args:
            labels: Class ids (N,), K for the background.

        Returns:
            Ids of the classes in the set (S,): first the batch's own, ascending, then
            the drawn ones, without the background.

        Raises:
            ValueError: A label is not in 0..K, or the weights are not known.
        """
        own = labels.unique()
        if len(own) and not 0 <= own[0] <= own[-1] <= self.num_classes:
            raise ValueError(
                f'labels go from {own[0]} to {own[-1]}, FederatedLoss(num_classes='
                f'{self.num_classes}) takes 0 to {self.num_classes} (the background); '
                "num_classes must be the number of the data set's classes"
            )
        if len(own) < self.set_size:
            own = torch.cat([own, self._draw_others(own, self.set_size - len(own))])
        return own[own < self.num_classes]

    def _draw_others(self, own: Tensor, count: int) -> Tensor:
        if not self.class_weights.any():
            raise ValueError(
                'the class weights of FederatedLoss are not known; add '
                "custom_hooks=[dict(type='pe_mm.FederatedClassesHook')], which counts "
                'them in the training set, or load a checkpoint that has them'
            )
        # With an entry for the background, which is never drawn.
        weights = F.pad(self.class_weights.float(), (0, 1))
        weights[own] = 0
        # Few classes, or few with images: all that are left.
        count = min(count, int(weights.count_nonzero()))
        return torch.multinomial(weights, count) if count else own.new_empty(0)

    def get_cls_channels(self, num_classes: int) -> int:
        """Return the columns that a head of ``num_classes`` classes needs: as many.

        Raises:
            ValueError: The head has another number of classes than the loss.
        """
        if num_classes != self.num_classes:
            raise ValueError(
                f'FederatedLoss(num_classes={self.num_classes}) is in a head with '
                f'num_classes={num_classes}; give both the same'
            )
        return num_classes

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """Turn logits (N, K) into scores (N, K + 1) in 0..1, the last column zero.

        It stands for the background, the column that mmdet's NMS drops.
        """
        self._check_columns(cls_score)
        return F.pad(cls_score.sigmoid(), (0, 1))

    def get_accuracy(self, cls_score: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return how often the best class of a foreground RoI is its label, in %."""
        foreground = labels < self.num_classes
        best = accuracy(cls_score[foreground], labels[foreground])
        return {'acc_classes': best}

    def _check_columns(self, cls_score: Tensor) -> None:
        if cls_score.shape[-1] != self.num_classes:
            raise ValueError(
                f'the logits have {cls_score.shape[-1]} columns, FederatedLoss('
                f'num_classes={self.num_classes}) needs one per class and none for the '
                'background'
            )
