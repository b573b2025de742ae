"""Detectron2's random scale of large-scale jitter."""

import numpy as np
from mmcv.transforms import RandomResize
from mmcv.transforms.utils import cache_randomness
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ScaleJitter(RandomResize):
    """Resize to a random multiple of a scale, rounding the image's sides only.

    As in detectron2's ``ResizeScale``, the sides of an image (h, w) become
    round(ratio * side * min(scale / h, scale / w)), with ratio uniform in
    ``ratio_range``. mmcv's ``RandomResize`` first cuts ratio * scale to whole pixels,
    which makes images half a pixel smaller on average.

    Args:
        scale: (width, height) in pixels at ratio 1.
        ratio_range: Least and greatest ratio.
        **kwargs: As RandomResize takes them, such as ``keep_ratio=True``.
    """

    scale: tuple[int, int]
    ratio_range: tuple[float, float]

    @cache_randomness
    def _random_scale(self) -> tuple[float, float]:
        ratio = np.random.uniform(*self.ratio_range)
        width, height = self.scale
        return ratio * width, ratio * height
