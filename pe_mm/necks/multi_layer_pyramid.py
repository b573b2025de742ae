"""A feature pyramid from several layers of one plain vision transformer."""

from collections.abc import Sequence

from mmengine.registry import MODELS
from torch import Tensor

from .maps import check_maps, check_widths
from .pyramid import Pyramid, check_scales


@MODELS.register_module()
class MultiLayerPyramid(Pyramid):
    """Turn k layers of the same stride into k pyramid levels, one layer per level.

    ``SimpleFeaturePyramid`` with a layer of its own for every level: level i resamples
    layer i by ``scales[i]``, then mixes its channels.

    Args:
        in_channels: Channels of each incoming map, the encoder's ``out_channels``.
        out_channels: Channels of every level; None as in ``SimpleFeaturePyramid``.
        scales: Size of each level relative to its map: powers of two, in the order of
            the levels. Odd sizes are halved rounding down.
        num_outs: Levels in all; those beyond ``scales`` are the last level subsampled
            by two. None for ``len(scales)``.
        init_cfg: mmengine's initialisation config.

    Attributes:
        out_channels: Channels of the levels, one entry per output.

    Raises:
        ValueError: Counts of maps and scales differ, a scale is no power of two, or
            ``num_outs`` is smaller than the number of scales.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int | None,
        *,
        scales: Sequence[float] = (4.0, 2.0, 1.0, 0.5),
        num_outs: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        widths = check_widths(in_channels)
        scales = check_scales(scales)
        if len(widths) == 1:
            raise ValueError(
                f'in_channels={in_channels!r} is a single map; use '
                f'pe_mm.SimpleFeaturePyramid with in_channels={widths[0]}'
            )
        if len(widths) != len(scales):
            raise ValueError(
                f'{len(widths)} maps cannot feed {len(scales)} scales {scales}; give '
                'one map per scale'
            )
        super().__init__(
            widths, out_channels, scales=scales, num_outs=num_outs, init_cfg=init_cfg
        )
        self.in_channels = widths
        self.num_inputs = len(widths)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Build the pyramid.

        Args:
            maps: (B, in_channels[i], H, W) each.

        Returns:
            (B, out_channels, H * scale, W * scale) per level, contiguous.

        Raises:
            ValueError: The maps are not those of ``in_channels``, or one is too small.
        """
        check_maps(
            maps,
            self.in_channels,
            'in_channels must be the out_channels of the backbone',
        )
        return self.build(maps)
