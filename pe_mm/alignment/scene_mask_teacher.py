"""The exact teacher of locality, for scenes whose objects are known."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

ENCODINGS = ('share', 'signed')


@MODELS.register_module()
class SceneMaskTeacher(nn.Module):
    """Tell from ``instance_map`` which tokens belong to the same object.

    Every id of the map is a segment of its own, 0 (the room of the demo scenes) too.

    Args:
        encoding: What a token's features are, one channel per segment. 'share': the
            part of the token's area that the segment covers; the cosine of two tokens
            is 1 within a segment, 0 between segments, and between the two at borders.
            'signed': the mean over the token of +1 inside and -1 outside the segment,
            scaled by the square root of the segment's area. Cosines are those of SAM's
            layout with perfect masks and every pixel as a prompt: 1 within a segment,
            1 - 2 (a + b) between segments that cover the parts a and b of the image.

    Raises:
        ValueError: The encoding is unknown.
    """

    def __init__(self, encoding: str = 'share') -> None:
        super().__init__()
        if encoding not in ENCODINGS:
            raise ValueError(f'encoding must be one of {ENCODINGS}, got {encoding!r}')
        self.encoding = encoding

    def forward(
        self,
        image: Tensor,
        data_samples: Sequence[BaseDataElement] | None,
        grid: tuple[int, int],
    ) -> Tensor:
        """Return features as ``MaskTeacher`` does.

        Args:
            image: (B, 3, H, W); only its size and device count.
            data_samples: With ``instance_map``, (H, W) integers.
            grid: Rows and columns of tokens, which divide H and W.

        Returns:
            (B, rows * columns, K), K being the most segments that an image has.

        Raises:
            ValueError: ``instance_map`` is missing, or not (H, W) integers.
        """
        samples = data_samples or [BaseDataElement()] * len(image)
        features = [
            self._features(_instance_map(sample, image), grid) for sample in samples
        ]
        most = max(feature.shape[1] for feature in features)
        return torch.stack([F.pad(f, (0, most - f.shape[1])) for f in features])

    def _features(self, instance_map: Tensor, grid: tuple[int, int]) -> Tensor:
        """Encode one map.  (H, W) -> (rows * columns, segments)."""
        ids, index = instance_map.unique(return_inverse=True)
        masks = F.one_hot(index, len(ids)).permute(2, 0, 1).float()
        share = F.adaptive_avg_pool2d(masks, grid).flatten(1).T
        if self.encoding == 'share':
            return share
        return (2 * share - 1) * share.mean(0).sqrt()


def _instance_map(sample: BaseDataElement, image: Tensor) -> Tensor:
    instance_map = getattr(sample, 'instance_map', None)
    size = tuple(image.shape[-2:])
    if not isinstance(instance_map, Tensor):
        raise ValueError(
            'SceneMaskTeacher needs instance_map in every data sample, an (H, W) '
            f'integer tensor, got {type(instance_map).__name__}; have the dataset '
            'load it, or take pe_mm.SamMaskTeacher, which needs images only'
        )
    if instance_map.is_floating_point() or instance_map.shape != size:
        raise ValueError(
            f'instance_map must be {size} integers, as large as the image, got '
            f'{tuple(instance_map.shape)} {instance_map.dtype}; transforms of the '
            'image must move it along (nearest, not bilinear)'
        )
    return instance_map.to(image.device)
