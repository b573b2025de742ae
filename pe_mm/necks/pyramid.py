"""What the pyramids share: their levels, and the extra ones below the coarsest."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from pe_mm.variants import check_count

from .pyramid_level import build_level


class Pyramid(BaseModule):
    """Resample one map per level, each by its own scale, and mix its channels.

    Args:
        in_channels: Channels of each level's map.
        out_channels: Channels of every level; None for no mixing convolutions.
        scales: Size of each level relative to its map.
        num_outs: Levels in all; None for ``len(scales)``.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: Counts disagree, or a scale is impossible.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int | None,
        *,
        scales: Sequence[float],
        num_outs: int | None,
        init_cfg: dict | list[dict] | None,
    ) -> None:
        super().__init__(init_cfg)
        if out_channels is not None:
            out_channels = check_count('out_channels', out_channels)
        if num_outs is None:
            num_outs = len(scales)
        self.num_outs = check_count('num_outs', num_outs)
        if self.num_outs < len(scales):
            raise ValueError(
                f'num_outs={num_outs} is less than the {len(scales)} scales'
            )
        self.scales = tuple(scales)
        built = [
            build_level(width, out_channels, scale)
            for width, scale in zip(in_channels, scales, strict=True)
        ]
        self.levels = nn.ModuleList(level for level, _ in built)
        widths = [width for _, width in built]
        extra = self.num_outs - len(widths)
        self.out_channels = (*widths, *[widths[-1]] * extra)

    def build(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Make the levels from one (B, C, H, W) map each.

        Raises:
            ValueError: A map has less than one pixel at its scale.
        """
        pyramid = []
        for map_, scale, level in zip(maps, self.scales, self.levels, strict=True):
            height, width = map_.shape[-2:]
            if min(height, width) * scale < 1:
                raise ValueError(
                    f'a map of {height} x {width} has no pixel left at scale {scale}; '
                    'use larger images, or leave this scale out'
                )
            pyramid.append(level(map_))
        while len(pyramid) < self.num_outs:
            pyramid.append(F.max_pool2d(pyramid[-1], kernel_size=1, stride=2))
        # The norms leave maps channels-last, and mmcv's RoIAlign reads every map as if
        # it were contiguous: without an error, but from the wrong places.
        return tuple(level.contiguous() for level in pyramid)


def check_scales(scales: Any) -> tuple[float, ...]:
    """Return the scales as a tuple.

    Raises:
        ValueError: It is no sequence, or an empty one.
    """
    if isinstance(scales, str) or not isinstance(scales, Sequence) or not scales:
        raise ValueError(
            f'scales must be one number per level, such as (2, 1, 0.5); got {scales!r}'
        )
    return tuple(scales)
