"""Depth from every token by itself: what layers know."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from mmengine.registry import MODELS
from mmseg.models.utils import resize
from torch import Tensor, nn

from pe_mm.segmentation.linear_segmentation_head import SYNC_BN, resolve_widths
from pe_mm.variants import check_count

from .depth_head import SI_LOG, DepthHead


@MODELS.register_module()
class LinearDepthHead(DepthHead):
    """Weigh bins of depth from each token's channels: norm, dropout, 1x1 convolution.

    The head of linear probes: DINOv3's (arXiv 2508.10104, its code) with one map and
    batch norm; DINOv2's (arXiv 2304.07193, section 7.4) with ``norm_cfg=None`` and
    ``upsample=4``, but for its class token. Depth is the expectation over bins
    (``DepthRange.expectation``), unless ``num_bins=None``.

    Args:
        in_channels: Channels of the map, or a list with those of several maps, which
            are concatenated; the encoder's ``embed_dims`` or ``out_channels``.
        min_depth: The smallest depth, in metres; measured depth at or below it is
            invalid.
        max_depth: The largest depth, in metres; measured depth above it is invalid.
        num_bins: Bins, evenly spaced from ``min_depth`` to ``max_depth``; None to
            regress depth, as ``DepthHead`` says.
        upsample: How often logits are finer than tokens, along each side. A 1x1
            convolution of upsampled features gives the same, and costs more.
        norm_cfg: mmcv's config of the norm over the input channels; None for no norm.
            'SyncBN' becomes 'BN' in a single process, and without GPUs.
        dropout_ratio: Probability with which a channel is dropped, in [0, 1).
        loss_decode: As in ``DepthHead``.
        kwargs: What else mmseg's ``BaseDecodeHead`` takes.

    Raises:
        ValueError: There is no map, a count is no int >= 1, the range is none, or
            ``dropout_ratio`` is out of range.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        *,
        min_depth: float = 1e-3,
        max_depth: float = 10.0,
        num_bins: int | None = 256,
        upsample: int = 1,
        norm_cfg: dict[str, Any] | None = SYNC_BN,
        dropout_ratio: float = 0.0,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] = SI_LOG,
        **kwargs: Any,
    ) -> None:
        widths = resolve_widths(in_channels)
        if not 0 <= dropout_ratio < 1:
            raise ValueError(f'dropout_ratio must be in [0, 1), got {dropout_ratio}')
        super().__init__(
            widths,
            sum(widths),
            min_depth=min_depth,
            max_depth=max_depth,
            num_bins=num_bins,
            loss_decode=loss_decode,
            input_transform='resize_concat',
            norm_cfg=norm_cfg,
            dropout_ratio=dropout_ratio,
            **kwargs,
        )
        self.upsample = check_count('upsample', upsample)
        self.norm = (
            nn.Identity()
            if norm_cfg is None
            else build_norm_layer(norm_cfg, self.channels)[1]
        )

    def decode(self, maps: list[Tensor]) -> Tensor:
        """Return logits or values, (B, bins or 1, H * upsample, W * upsample)."""
        logits = self.cls_seg(self.norm(self._transform_inputs(maps)))
        if self.upsample == 1:
            return logits
        return resize(
            logits,
            scale_factor=self.upsample,
            mode='bilinear',
            align_corners=self.align_corners,
        )
