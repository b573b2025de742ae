"""ViTDet's feature pyramid: every level from the encoder's last map."""

from collections.abc import Sequence

from mmengine.registry import MODELS
from torch import Tensor

from pe_mm.variants import check_count

from .maps import check_maps
from .pyramid import Pyramid, check_scales


@MODELS.register_module()
class SimpleFeaturePyramid(Pyramid):
    """Turn one map of a plain vision transformer into a pyramid.

    ViTDet's simple feature pyramid (arXiv 2203.16527, section 3), with detectron2's
    layers: every level resamples the same map (transposed convolutions up, max pooling
    down), then mixes it with a 1x1 and a 3x3 convolution, each followed by a LayerNorm
    over channels (eps 1e-6).

    Level i has the stride ``patch_size / scales[i]``, which anchors and RoI extractors
    must be told: 4, 8, 16, 32 and 64 for patch 16; 3.5, 7, 14, 28 and 56 for patch 14.

    Args:
        in_channels: Channels of the map, the encoder's ``embed_dims``.
        out_channels: Channels of every level. None leaves the mixing convolutions out,
            as DETA's pyramid does: level i then has ``in_channels / scales[i]``
            channels where it is finer than the map, else ``in_channels``.
        scales: Size of each level relative to the map: powers of two, in the order of
            the levels. Odd sizes are halved rounding down.
        num_outs: Levels in all; those beyond ``scales`` are the last level subsampled
            by two. None for ``len(scales)``.
        init_cfg: mmengine's initialisation config.

    Attributes:
        out_channels: Channels of the levels, one entry per output.

    Raises:
        ValueError: ``in_channels`` is no int, a scale is no power of two, or
            ``num_outs`` is smaller than the number of scales.
    """

    num_inputs = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None,
        *,
        scales: Sequence[float] = (4.0, 2.0, 1.0, 0.5),
        num_outs: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if isinstance(in_channels, Sequence):
            raise ValueError(
                "in_channels must be an int, the one map's channels, got "
                f'{in_channels!r}; for one map per scale use pe_mm.MultiLayerPyramid'
            )
        width = check_count('in_channels', in_channels)
        scales = check_scales(scales)
        super().__init__(
            [width] * len(scales),
            out_channels,
            scales=scales,
            num_outs=num_outs,
            init_cfg=init_cfg,
        )
        self.in_channels = width

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Build the pyramid.

        Args:
            maps: The backbone's tuple of one (B, in_channels, H, W).

        Returns:
            (B, out_channels, H * scale, W * scale) per level, contiguous.

        Raises:
            ValueError: There are several maps, or one of other channels or too small.
        """
        check_maps(
            maps,
            [self.in_channels],
            "set the backbone's out_indices='last' (or another single layer) and "
            'in_channels to its embed_dims; several layers go into '
            'pe_mm.MultiLayerPyramid (one per scale), or through pe_mm.LayerMix first',
        )
        return self.build(list(maps) * len(self.levels))
