"""A feature pyramid from several layers of one plain vision transformer."""

import math
from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from timm.layers import LayerNorm2d
from torch import Tensor, nn

from pe_mm.variants import check_count


@MODELS.register_module()
class MultiLayerPyramid(BaseModule):
    """Turn k layers of the same stride into k pyramid levels, one layer per level.

    Level i resamples layer i by ``scales[i]`` (transposed convolutions up, max pooling
    down), then mixes it with a 1x1 and a 3x3 convolution, each followed by a LayerNorm
    over channels: ViTDet's simple pyramid (arXiv 2203.16527, section 3) with a layer of
    its own for every level.

    Args:
        in_channels: Channels of each incoming map, the encoder's ``out_channels``. A
            single one feeds every level.
        out_channels: Channels of every level.
        scales: Size of each level relative to its map: powers of two, finest first.
        num_outs: Levels in all; those beyond ``scales`` are the last level subsampled
            by two. None for ``len(scales)``.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: Counts of maps and scales differ, a scale is no power of two, or
            ``num_outs`` is smaller than the number of scales.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        *,
        scales: Sequence[float] = (4.0, 2.0, 1.0, 0.5),
        num_outs: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if isinstance(in_channels, (int, str)):
            raise ValueError(
                "in_channels must be the encoder's out_channels, one entry per map, "
                f'such as [768, 768]; got {in_channels!r}'
            )
        self.num_inputs = len(in_channels)
        if self.num_inputs not in (1, len(scales)):
            raise ValueError(
                f'{self.num_inputs} maps cannot feed {len(scales)} scales '
                f'{tuple(scales)}; give one map, or one per scale'
            )
        self.num_outs = len(scales) if num_outs is None else num_outs
        if self.num_outs < len(scales):
            raise ValueError(
                f'num_outs={num_outs} is less than the {len(scales)} scales'
            )
        self.in_channels = [check_count('in_channels', n) for n in in_channels]
        channels = self.in_channels * (len(scales) // self.num_inputs)
        out_channels = check_count('out_channels', out_channels)
        self.levels = nn.ModuleList(
            _level(width, out_channels, scale)
            for width, scale in zip(channels, scales, strict=True)
        )

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Build the pyramid.

        Args:
            maps: (B, in_channels[i], H, W) each.

        Returns:
            (B, out_channels, H * scale, W * scale) per level, finest first.

        Raises:
            ValueError: The maps' channels are not ``in_channels``.
        """
        channels = [getattr(map_, 'shape', (None, None))[1] for map_ in maps]
        if channels != self.in_channels:
            raise ValueError(
                f'got {len(maps)} maps of {channels} channels, built for '
                f'{self.in_channels}: in_channels must be the out_channels of the '
                'backbone, which must not output class tokens'
            )
        sources = list(maps) * (len(self.levels) // self.num_inputs)
        pyramid = [
            level(source) for level, source in zip(self.levels, sources, strict=True)
        ]
        while len(pyramid) < self.num_outs:
            pyramid.append(F.max_pool2d(pyramid[-1], kernel_size=1, stride=2))
        # LayerNorm2d leaves maps channels-last, and mmcv's RoIAlign reads every map as
        # if it were contiguous: without an error, but from the wrong places.
        return tuple(level.contiguous() for level in pyramid)


def _level(in_channels: int, out_channels: int, scale: float) -> nn.Sequential:
    octaves = math.log2(scale) if scale > 0 else math.nan
    if not octaves.is_integer():
        raise ValueError(f'scale {scale!r} is not a power of two such as 4, 2, 1, 0.5')
    layers: list[nn.Module] = []
    for octave in range(int(octaves)):
        if octave:
            layers += [LayerNorm2d(in_channels), nn.GELU()]
        layers.append(nn.ConvTranspose2d(in_channels, in_channels // 2, 2, stride=2))
        in_channels //= 2
    if octaves < 0:
        layers.append(nn.MaxPool2d(2 ** int(-octaves)))
    return nn.Sequential(
        *layers,
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    )
