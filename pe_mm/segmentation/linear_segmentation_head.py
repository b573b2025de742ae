"""A linear classifier of every token: what layers know by themselves."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from mmengine.registry import MODELS
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from pe_mm.necks.maps import check_maps
from pe_mm.variants import check_count

SYNC_BN: dict[str, Any] = {'type': 'SyncBN'}


@MODELS.register_module()
class LinearSegmentationHead(BaseDecodeHead):
    """Classify each token from its own channels: norm, dropout, 1x1 convolution.

    The head of linear probes, as in DINOv3 (arXiv 2508.10104, appendix D.1), whose code
    drops channels before the norm, and, without dropout, DINOv2: batch norm over the
    channels of one map, or of several maps one after the other; the classifier starts
    at N(0, 0.01).

    The Perception Encoder paper's probe has a linear layer before the convolution
    (arXiv 2504.13181, appendix B.3.3): ``projection_channels``, whose number the
    paper does not give. Nothing between the two is non-linear, so from ``num_classes``
    channels on they express what the classifier alone does, and only train differently.

    Logits have the maps' size. mmseg resizes them to the padded image and cuts the
    padding off, so images must be padded to whole patches before the encoder does it:
    ``data_preprocessor=dict(test_cfg=dict(size_divisor=patch_size))``, or where the
    test slides a window of whole patches, ``test_cfg=dict(size=crop_size)``. Otherwise
    the map of ceil(H / patch) cells is squeezed into H pixels, and classes shift by up
    to a patch at the right and bottom.

    Args:
        in_channels: Channels of the map, or a list with those of several maps, which
            are concatenated; the encoder's ``embed_dims`` or ``out_channels``.
        num_classes: Classes, without the ignored one.
        projection_channels: Width of a linear layer before the classifier; None for no
            such layer.
        norm_cfg: mmcv's config of the norm over the input channels; None for no norm.
            'SyncBN' becomes 'BN' in a single process, and without GPUs.
        dropout_ratio: Probability with which a channel is dropped, in [0, 1).
        in_index: Which maps to take; None for the last one where ``in_channels`` is an
            int, and for all maps, which must be as many, where it is a list.
        kwargs: What else mmseg's ``BaseDecodeHead`` takes: ``loss_decode``,
            ``ignore_index``, ``sampler``, ``align_corners``, ``init_cfg``, ...

    Attributes:
        in_channels: Channels of all maps together.
        channels: What the classifier sees.

    Raises:
        ValueError: Channels are no counts, ``dropout_ratio`` is out of range, or
            ``in_index`` does not fit ``in_channels``.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        num_classes: int,
        *,
        projection_channels: int | None = None,
        norm_cfg: dict[str, Any] | None = SYNC_BN,
        dropout_ratio: float = 0.1,
        in_index: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        several = isinstance(in_channels, (list, tuple))
        widths = resolve_widths(in_channels)
        if not 0 <= dropout_ratio < 1:
            raise ValueError(f'dropout_ratio must be in [0, 1), got {dropout_ratio}')
        channels = sum(widths)
        if projection_channels is not None:
            channels = check_count('projection_channels', projection_channels)
        super().__init__(
            in_channels=widths if several else widths[0],
            channels=channels,
            num_classes=check_count('num_classes', num_classes),
            dropout_ratio=dropout_ratio,
            norm_cfg=norm_cfg,
            in_index=_resolve_index(in_index, widths, several),
            input_transform='resize_concat' if several else None,
            **kwargs,
        )
        self._widths = widths
        self._takes_all = several and in_index is None
        self.norm = (
            nn.Identity()
            if norm_cfg is None
            else build_norm_layer(norm_cfg, self.in_channels)[1]
        )
        self.projection = (
            nn.Identity()
            if projection_channels is None
            else nn.Conv2d(self.in_channels, channels, kernel_size=1)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the logits of every token.

        Args:
            maps: (B, C, H, W) each; those that are concatenated are first resized to
                the first of them.

        Returns:
            (B, num_classes, H, W).

        Raises:
            ValueError: The maps are not those of ``in_channels``.
        """
        index = self.in_index if isinstance(self.in_index, list) else [self.in_index]
        check_maps(
            maps,
            self._widths,
            'in_channels must be the out_channels of what comes before',
            in_index=None if self._takes_all else index,
        )
        features = self._transform_inputs(maps)
        return self.cls_seg(self.projection(self.norm(features)))


def resolve_widths(in_channels: Any) -> list[int]:
    """Return the channels of each map, for one number or a list.

    Raises:
        ValueError: There is none, or one is no int >= 1.
    """
    if not isinstance(in_channels, (list, tuple)):
        return [check_count('in_channels', in_channels)]
    if not in_channels:
        raise ValueError("in_channels=[] names no map; give the encoder's out_channels")
    return [check_count('in_channels', width) for width in in_channels]


def _resolve_index(in_index: Any, widths: list[int], several: bool) -> Any:
    """Return mmseg's ``in_index``: an int for one map, a list for several.

    Raises:
        ValueError: It is of the other kind, or of another length than ``widths``.
    """
    if in_index is None:
        return list(range(len(widths))) if several else -1
    if isinstance(in_index, (list, tuple)) == several and (
        not several or len(in_index) == len(widths)
    ):
        return list(in_index) if several else in_index
    raise ValueError(
        f'in_index={in_index!r} does not fit in_channels={widths}: give an int for one '
        'map, and one index per entry for a list of maps'
    )
