"""What the depth heads share: range, precision, and the way to a loss."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from torch import Tensor

from pe_mm.necks.maps import check_maps
from pe_mm.variants import check_count

from .depth_range import DepthRange

SI_LOG: dict[str, Any] = {'type': 'pe_mm.ScaleInvariantLogLoss'}


class DepthHead(BaseDecodeHead):
    """Turn maps into a depth map, in metres and always in float32.

    Autocast is off inside: in half precision the sums over bins and logarithms of small
    depths lose what is to be learned.

    Depth maps are resized to the image (or to the measured depth) as a whole, so images
    must have whole patches: ``pe_mm.DepthEstimator`` sees to it.

    Args:
        in_channels: Channels of each incoming map.
        channels: Channels before the last convolution.
        min_depth: The smallest depth, in metres; measured depth at or below it is
            invalid.
        max_depth: The largest depth, in metres; measured depth above it is invalid.
        num_bins: Bins whose expectation is the depth (``DepthRange.expectation``); None
            to regress it: ``min_depth + (max_depth - min_depth) * sigmoid(x)``, which
            has a gradient everywhere and cannot leave the range.
        loss_decode: Configs of the losses, one or several; each is called with depth,
            measured depth and the mask of what is valid.
        kwargs: What else mmseg's ``BaseDecodeHead`` takes, without ``in_index``.

    Raises:
        ValueError: The range is none, there are fewer than two bins, or ``in_index`` is
            given.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        *,
        min_depth: float,
        max_depth: float,
        num_bins: int | None,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]],
        **kwargs: Any,
    ) -> None:
        if num_bins is not None and check_count('num_bins', num_bins) < 2:
            raise ValueError(
                f'num_bins must be at least 2, got {num_bins}; None for no bins'
            )
        if 'in_index' in kwargs:
            raise ValueError(
                f'in_index={kwargs["in_index"]!r} is not for depth heads, which take '
                "all maps they get; choose layers with the backbone's out_indices"
            )
        outputs = num_bins or 1
        super().__init__(
            in_channels=list(in_channels),
            channels=channels,
            num_classes=outputs,
            out_channels=outputs,
            in_index=list(range(len(in_channels))),
            loss_decode=loss_decode,
            # mmseg warns of a single output without one.
            threshold=0.0,
            **kwargs,
        )
        self.widths = list(in_channels)
        self.depth_range = DepthRange(min_depth, max_depth)
        self.has_bins = num_bins is not None
        # What an estimator sees of the head is its depth map.
        self.num_classes = self.out_channels = 1

    @abstractmethod
    def decode(self, maps: list[Tensor]) -> Tensor:
        """Return bins' logits or values to squash, (B, bins or 1, h, w)."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return depth in metres at the head's own resolution.

        Args:
            maps: (B, C, H, W) each, of the channels of ``in_channels``.

        Returns:
            (B, 1, h, w), float32.

        Raises:
            ValueError: The maps are not those of ``in_channels``.
        """
        check_maps(
            maps,
            self.widths,
            'in_channels must be the out_channels of what comes before',
        )
        with torch.autocast(maps[0].device.type, enabled=False):
            outputs = self.decode([map_.float() for map_ in maps])
            if self.has_bins:
                return self.depth_range.expectation(outputs)
            return self.depth_range.squash(outputs)

    def loss_by_feat(
        self, depth: Tensor, batch_data_samples: Sequence[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compare with the measured depth, where it is valid.

        Args:
            depth: (B, 1, h, w), from ``forward``.
            batch_data_samples: With ``gt_depth_map``, (1, H, W) in metres, which covers
                the same view.

        Returns:
            One entry per loss name; losses of one name are added.
        """
        target = self._stack_batch_gt(batch_data_samples)
        valid = self.depth_range.valid(target)
        depth = resize(
            depth,
            size=target.shape[2:],
            mode='bilinear',
            align_corners=self.align_corners,
        )
        single = not isinstance(self.loss_decode, torch.nn.ModuleList)
        losses: dict[str, Tensor] = {}
        for loss in [self.loss_decode] if single else self.loss_decode:
            value = loss(depth, target, valid)
            name = loss.loss_name
            losses[name] = losses[name] + value if name in losses else value
        return losses

    def _stack_batch_gt(self, batch_data_samples: Sequence[SegDataSample]) -> Tensor:
        return torch.stack([s.gt_depth_map.data.float() for s in batch_data_samples])

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        """Load, wherever ``loss_decode``'s form puts the loss's count of iterations.

        A loss is 'loss_decode', one of several 'loss_decode.1'. A count that is not
        there is 0: the loss warms up.
        """
        losses = f'{prefix}loss_decode'
        names = [name for name, _ in self.loss_decode.named_buffers(losses)]
        wanted = {name for name in names if name.endswith('.iteration')}
        stored = {
            key
            for key in state_dict
            if key.startswith(f'{losses}.') and key.endswith('.iteration')
        }
        if stored != wanted:
            counts = [state_dict.pop(key) for key in sorted(stored)]
            count = counts[0] if counts else torch.zeros((), dtype=torch.long)
            state_dict.update(dict.fromkeys(wanted, count))
        super()._load_from_state_dict(state_dict, prefix, *args)
