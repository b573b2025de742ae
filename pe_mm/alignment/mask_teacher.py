"""What a teacher of locality is: features whose pairwise cosines are the target."""

from collections.abc import Sequence
from typing import Protocol

from mmengine.structures import BaseDataElement
from torch import Tensor


class MaskTeacher(Protocol):
    """Turn images into features that are alike within an object, and only there.

    Implementations are registered modules. ``SpatialAligner`` calls them without
    gradients, moves them to its device, and calls ``init_weights()`` where they have
    it; their weights are never in its checkpoints or its optimizer.
    """

    def __call__(
        self,
        image: Tensor,
        data_samples: Sequence[BaseDataElement] | None,
        grid: tuple[int, int],
    ) -> Tensor:
        """Return the features of the student's tokens.

        Args:
            image: (B, 3, H, W), RGB, mean = std = 0.5 of the 0-1 range: the augmented
                image that the student sees, before patches are hidden.
            data_samples: One per image.
            grid: Rows and columns of the student's tokens, which divide H and W.

        Returns:
            (B, rows * columns, K) for any K.
        """
        ...
