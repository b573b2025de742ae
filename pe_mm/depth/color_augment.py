"""Random gamma, brightness and tint."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmengine.registry import TRANSFORMS
from numpy.typing import NDArray


@TRANSFORMS.register_module()
class ColorAugment(BaseTransform):
    """Change an image's gamma, brightness and colour, with a probability.

    The augmentation of monocular depth papers since BTS (arXiv 1907.10326): with the
    image in [0, 1], image^gamma * brightness * colour, the latter a factor per channel.
    All three are drawn uniformly, once per image. Depth stays as it is.

    The default ranges are those of DINOv3's code. There gamma is taken of values up to
    255, and what exceeds them is clipped: 1.1 saturates everything above 154. Here it
    darkens the image's middle a little, which is what a gamma is for.

    Args:
        prob: How often, in [0, 1].
        gamma: Smallest and largest exponent.
        brightness: Smallest and largest factor of the image.
        color: Smallest and largest factor of a channel.

    Raises:
        ValueError: ``prob`` is out of range, or a range has no positive ends in order.
    """

    def __init__(
        self,
        prob: float = 0.5,
        *,
        gamma: Sequence[float] = (0.9, 1.1),
        brightness: Sequence[float] = (0.9, 1.1),
        color: Sequence[float] = (0.9, 1.1),
    ) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], got {prob}')
        for name, ends in (
            ('gamma', gamma),
            ('brightness', brightness),
            ('color', color),
        ):
            if len(ends) != 2 or not 0 < ends[0] <= ends[1]:
                raise ValueError(
                    f'{name} must be a pair 0 < smallest <= largest, got {ends!r}'
                )
        self.prob = prob
        self.gamma = (gamma[0], gamma[1])
        self.brightness = (brightness[0], brightness[1])
        self.color = (color[0], color[1])

    def transform(self, results: dict) -> dict:
        """Change ``img``, (H, W, channels) of 8 bits."""
        drawn = self._draw(results['img'].shape[-1])
        if drawn is not None:
            gamma, factors = drawn
            image = (results['img'] / 255.0) ** gamma * factors
            results['img'] = (image.clip(0, 1) * 255).round().astype(np.uint8)
        return results

    @cache_randomness
    def _draw(self, channels: int) -> tuple[float, NDArray[np.float64]] | None:
        if np.random.rand() >= self.prob:
            return None
        gamma = np.random.uniform(*self.gamma)
        brightness = np.random.uniform(*self.brightness)
        return gamma, brightness * np.random.uniform(*self.color, channels)
