"""Mask regularisation of PE-Core: hidden patches must be felt as if they were seen."""

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from pe_mm.alignment import random_block_mask
from pe_mm.variants import check_count

if TYPE_CHECKING:
    from pe_mm.backbones import PerceptionEncoder


class MaskRegularization:
    """Align the output at hidden patches with that of the whole image.

    Some images of the batch are encoded a second time, with patches hidden. The output
    tokens of hidden patches are drawn to those of the whole image by cosine similarity.
    These are no part of the graph, and hidden images none of the contrastive loss, so
    that the gradients of the two losses are disjoint (MaskFeat as a loss: arXiv
    2504.13181, section 2.1 and table 18).

    Args:
        batch_fraction: Fraction of the images that is encoded again, in (0, 1]; at
            least one image.
        ratio: Fraction of an image's blocks that is hidden, in (0, 1].
        unit: Side of a block in patches. The paper gives it for PE-Spatial only (2);
            1 hides single patches.
        loss_weight: Factor of the loss; the paper gives none.

    Raises:
        ValueError: A fraction or the unit is out of range.
    """

    def __init__(
        self,
        *,
        batch_fraction: float = 1 / 16,
        ratio: float = 0.4,
        unit: int = 2,
        loss_weight: float = 1.0,
    ) -> None:
        for name, value in (('batch_fraction', batch_fraction), ('ratio', ratio)):
            if not 0 < value <= 1:
                raise ValueError(
                    f'mask_regularization: {name} must be in (0, 1], got {value!r}; '
                    'without regularisation leave mask_regularization out'
                )
        self.batch_fraction = batch_fraction
        self.ratio = ratio
        self.unit = check_count('mask_regularization: unit', unit)
        self.loss_weight = loss_weight

    def __call__(
        self, encoder: 'PerceptionEncoder', images: Tensor, seen: Tensor
    ) -> Tensor:
        """Return the weighted loss, 1 - mean cosine similarity.

        Args:
            encoder: Has a mask token.
            images: (B, 3, H, W), a shuffled batch, of which the first are taken.
            seen: (B, C, h, w), the encoder's last map of them with nothing hidden.

        Raises:
            ValueError: The images are too small for one hidden block.
        """
        count = max(1, round(self.batch_fraction * len(images)))
        target = seen[:count].detach()
        grid = (target.shape[2], target.shape[3])
        hidden = random_block_mask(
            count, grid, self.ratio, self.unit, device=images.device
        )
        if not hidden.any():
            raise ValueError(
                f'mask_regularization: ratio={self.ratio} of blocks of {self.unit} x '
                f'{self.unit} patches hides nothing in {grid[0]} x {grid[1]} patches; '
                'take a larger ratio or image, or a smaller unit'
            )
        predicted = encoder(images[:count], hidden)[-1]
        similarity = F.cosine_similarity(predicted.float(), target.float(), dim=1)
        return self.loss_weight * (1 - similarity[hidden].mean())
