"""From the lists that a data loader gives to one normalised batch on the device."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor

from pe_mm.variants import check_count


@MODELS.register_module()
class ImageTextPreprocessor(BaseDataPreprocessor):
    """Stack, resize and normalise images or clips; data samples come along.

    Takes what ``stack_inputs``, or mmengine's ``pseudo_collate``, makes of the items of
    this package's datasets. Resizing the whole batch here, bilinear with antialiasing,
    is what progressive resolution needs (PE, arXiv 2504.13181, section 2.1): ``size``
    may be changed while training goes on.

    Args:
        size: Height and width of the batch in pixels; None keeps the images' own.
        mean: Of pixels in 0..255: one number, or one per channel (R, G, B).
        std: Likewise. PE takes 127.5 for both, so pixels become -1..1 (App. B.1.1).
        non_blocking: Copy pinned memory to the device without waiting.

    Raises:
        ValueError: ``size`` or std is not positive, or mean and std are not 1 or 3
            numbers.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        size: int | None = None,
        mean: float | Sequence[float] = 127.5,
        std: float | Sequence[float] = 127.5,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        self.size = None if size is None else check_count('size', size)
        for name, value in (('mean', mean), ('std', std)):
            numbers = [value] if isinstance(value, (int, float)) else list(value)
            if len(numbers) not in (1, 3):
                raise ValueError(f'{name} must be 1 or 3 numbers, got {value!r}')
            if name == 'std' and min(numbers) <= 0:
                raise ValueError(f'std must be positive, got {value!r}')
            channels = torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, channels, persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Make the batch.

        Args:
            data: ``inputs``, B uint8 RGB images (3, H, W), or clips of (T, 3, H, W),
                all of one shape, as a list or one tensor; and ``data_samples``, a list
                or None.
                Their ``instance_map`` (..., H, W), where they have one, is resized
                with the images, by nearest neighbours.
            training: Not used: both are prepared alike.

        Returns:
            ``inputs``, float32 (B, 3, H, W) or (B, T, 3, H, W), and ``data_samples``.

        Raises:
            ValueError: Images of one batch differ in shape, or are not uint8 RGB.
        """
        samples = data.get('data_samples')
        images = self.cast_data(_stack(data['inputs'], samples)).float()
        samples = self.cast_data(samples)
        if self.size is not None and images.shape[-2:] != (self.size, self.size):
            frames = images.flatten(0, -4)
            frames = F.interpolate(
                frames, (self.size, self.size), mode='bilinear', antialias=True
            )
            images = frames.unflatten(0, images.shape[:-3])
        if self.size is not None:
            for sample in samples or ():
                if 'instance_map' in sample:
                    sample.instance_map = resize_ids(sample.instance_map, self.size)
        return {'inputs': (images - self.mean) / self.std, 'data_samples': samples}


def resize_ids(ids: Tensor, size: int) -> Tensor:
    """Take the nearest id of every pixel.  (..., H, W) -> (..., size, size)."""
    # F.interpolate knows no integers, and float32 not every id.
    height, width = ids.shape[-2:]
    middles = torch.arange(size, device=ids.device) + 0.5
    rows = (middles * height / size).long()
    columns = (middles * width / size).long()
    return ids[..., rows[:, None], columns]


def _stack(
    images: Tensor | Sequence[Tensor], samples: Sequence[BaseDataElement] | None
) -> Tensor:
    first = images[0]
    for index, image in enumerate(images):
        if image.dtype != torch.uint8 or image.ndim not in (3, 4):
            raise ValueError(
                f'{_name(samples, index)} is {image.dtype} of shape '
                f'{tuple(image.shape)}; expected uint8 of shape (3, H, W) or '
                '(T, 3, H, W): leave ToDtype and Normalize out of the transforms, '
                'this preprocessor normalises'
            )
        if image.shape[-3] != 3:
            raise ValueError(
                f'{_name(samples, index)} has {image.shape[-3]} channels, '
                'expected 3 (RGB)'
            )
        if image.shape != first.shape:
            raise ValueError(
                f'images of one batch differ in shape: {_name(samples, 0)} is '
                f'{tuple(first.shape)}, {_name(samples, index)} is '
                f'{tuple(image.shape)}; let the pipeline end in one size, such as '
                "TorchvisionTransforms with dict(type='RandomResizedCrop', size=224) "
                "or dict(type='Resize', size=(224, 224))"
            )
    return images if isinstance(images, Tensor) else torch.stack(list(images))


def _name(samples: Sequence[BaseDataElement] | None, index: int) -> str:
    name = samples[index].get('sample_id') if samples else None
    return f'image {index} of the batch' + (f' ({name})' if name else '')
