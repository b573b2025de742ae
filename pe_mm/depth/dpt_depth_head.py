"""Depth from a pyramid, fused from coarse to fine as DPT does it."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.registry import MODELS
from mmseg.models.decode_heads.dpt_head import FeatureFusionBlock
from torch import Tensor, nn

from pe_mm.necks.maps import check_widths
from pe_mm.variants import check_count

from .depth_head import SI_LOG, DepthHead


@MODELS.register_module()
class DPTDepthHead(DepthHead):
    """Fuse four maps, each half the size of the one before, into depth.

    DPT's decoder (arXiv 2103.13413, section 3) behind ``pe_mm.DPTReassemble``, with
    mmseg's fusion blocks: each adds a finer map and doubles the size. The result has
    twice the size of the finest map: a stride of patch / 8 pixels.

    Differences from DPT, for images of any size: what was halved rounding up is cut to
    the finer map's size after doubling (mmseg stretches the finer map instead, which
    shifts it), and maps are doubled without aligned corners.

    Args:
        in_channels: Channels of the four maps, finest first; the neck's
            ``out_channels``.
        channels: Width of the decoder.
        min_depth: The smallest depth, in metres; measured depth at or below it is
            invalid.
        max_depth: The largest depth, in metres; measured depth above it is invalid.
        num_bins: Bins whose expectation is the depth; None to regress it, as
            ``DepthHead`` says.
        norm_cfg: mmcv's config of the norms in the fusion blocks; None for none.
        dropout_ratio: Probability with which a channel is dropped before the last
            convolution, in [0, 1).
        loss_decode: As in ``DepthHead``.
        kwargs: What else mmseg's ``BaseDecodeHead`` takes.

    Raises:
        ValueError: There are not four maps, a count is no int >= 1, or the range is
            none.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int = 256,
        *,
        min_depth: float = 1e-3,
        max_depth: float = 10.0,
        num_bins: int | None = 256,
        norm_cfg: dict[str, Any] | None = None,
        dropout_ratio: float = 0.0,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] = SI_LOG,
        **kwargs: Any,
    ) -> None:
        widths = check_widths(in_channels)
        if len(widths) != 4:
            raise ValueError(
                f'in_channels={in_channels!r} must have four entries, those of '
                "pe_mm.DPTReassemble's out_channels"
            )
        if not 0 <= dropout_ratio < 1:
            raise ValueError(f'dropout_ratio must be in [0, 1), got {dropout_ratio}')
        super().__init__(
            widths,
            check_count('channels', channels),
            min_depth=min_depth,
            max_depth=max_depth,
            num_bins=num_bins,
            loss_decode=loss_decode,
            input_transform='multiple_select',
            norm_cfg=norm_cfg,
            dropout_ratio=dropout_ratio,
            **kwargs,
        )
        self.laterals = nn.ModuleList(
            nn.Conv2d(width, channels, 3, padding=1, bias=False) for width in widths
        )
        self.fusions = nn.ModuleList(
            FeatureFusionBlock(channels, self.act_cfg, norm_cfg, align_corners=False)
            for _ in widths
        )
        # The coarsest map has nothing to be added to.
        del self.fusions[-1].res_conv_unit1
        self.project = ConvModule(
            channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=self.act_cfg
        )

    def decode(self, maps: list[Tensor]) -> Tensor:
        """Return logits or values, (B, bins or 1, 2 * H, 2 * W) of the finest map.

        Raises:
            ValueError: A map has another size than half the finer one's, rounded up.
        """
        _check_sizes([tuple(map_.shape[-2:]) for map_ in maps])
        finest_last = [
            lateral(map_) for lateral, map_ in zip(self.laterals, maps, strict=True)
        ][::-1]
        x = self.fusions[-1](finest_last[0])
        for fusion, map_ in zip(self.fusions[-2::-1], finest_last[1:], strict=True):
            height, width = map_.shape[-2:]
            x = fusion(x[..., :height, :width], map_)
        return self.cls_seg(self.project(x))


def _check_sizes(sizes: list[tuple[int, ...]]) -> None:
    """Check that each size is half the one before, rounded up.

    Raises:
        ValueError: One is not.
    """
    halves = [tuple(-(-side // 2) for side in size) for size in sizes]
    if sizes[1:] != halves[:-1]:
        raise ValueError(
            'each map must be half the size of the one before, rounded up, as '
            f'pe_mm.DPTReassemble makes them; got {sizes}'
        )
