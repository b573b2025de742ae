"""Detectron2's crop of a fixed size."""

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets.transforms import RandomCrop
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FixedSizeCrop(RandomCrop):
    """Crop at a place that one random number decides for both axes.

    An image that is larger than the crop on both axes is cropped along its diagonal
    only, as detectron2's ``FixedSizeCrop`` does; mmdet's ``RandomCrop`` draws each axis
    by itself. An axis that is shorter than the crop stays as it is, without padding.
    Takes RandomCrop's arguments.
    """

    @cache_randomness
    def _rand_offset(self, margin: tuple[int, int]) -> tuple[int, int]:
        draw = np.random.uniform()
        height, width = margin
        return round(draw * height), round(draw * width)
