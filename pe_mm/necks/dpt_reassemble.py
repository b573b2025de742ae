"""DPT's pyramid: layers of a plain vision transformer at four sizes."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn

from pe_mm.variants import check_count

from .maps import check_maps, check_widths

LEVELS = 4
READOUTS = ('ignore', 'add', 'project')


@MODELS.register_module()
class DPTReassemble(BaseModule):
    """Turn four layers of one stride, or one layer four times, into a pyramid.

    DPT's reassemble operation (arXiv 2103.13413, section 3): a 1x1 convolution to the
    level's channels, then a transposed convolution by 4, by 2, nothing, and a 3x3
    convolution of stride 2. Odd sizes are halved rounding up.

    Class tokens come from a backbone with ``output_class_token``, as (map, class token)
    pairs. They are dropped ('ignore'), added to every token ('add'), or concatenated to
    every token and projected back to its channels, with a GELU ('project').

    Args:
        in_channels: Channels of each map, the encoder's ``out_channels``: four entries
            from fine to coarse, or a single one of a map that all levels share.
        out_channels: Channels of the levels, finest first. DPT has, for encoders of
            width 768, (96, 192, 384, 768), and of 1024, (256, 512, 1024, 1024).
        readout: What becomes of class tokens.
        init_cfg: mmengine's initialisation config.

    Attributes:
        out_channels: Channels of the levels, one entry per output.

    Raises:
        ValueError: There are not one or four maps, not four levels, or the readout is
            unknown.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: Sequence[int] = (96, 192, 384, 768),
        *,
        readout: str = 'ignore',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = check_widths(in_channels)
        self.num_inputs = len(self.in_channels)
        if self.num_inputs not in (1, LEVELS):
            raise ValueError(
                f'in_channels={in_channels!r} has {self.num_inputs} entries; give '
                f'{LEVELS} layers, or a single one for all levels'
            )
        if isinstance(out_channels, int) or len(out_channels) != LEVELS:
            raise ValueError(
                f'out_channels must have {LEVELS} entries, finest level first, got '
                f'{out_channels!r}'
            )
        if readout not in READOUTS:
            raise ValueError(f'readout must be one of {READOUTS}, got {readout!r}')
        self.readout = readout
        self.out_channels = tuple(check_count('out_channels', c) for c in out_channels)
        widths = self.in_channels * (LEVELS // self.num_inputs)
        self.readouts = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width, width), nn.GELU())
            for width in (widths if readout == 'project' else ())
        )
        self.projections = nn.ModuleList(
            nn.Conv2d(width, channels, 1)
            for width, channels in zip(widths, self.out_channels, strict=True)
        )
        a, b, _, d = self.out_channels
        self.resamplers = nn.ModuleList(
            [
                nn.ConvTranspose2d(a, a, 4, stride=4),
                nn.ConvTranspose2d(b, b, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(d, d, 3, stride=2, padding=1),
            ]
        )

    def forward(
        self, maps: Sequence[Tensor] | Sequence[tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, ...]:
        """Build the pyramid.

        Args:
            maps: (B, in_channels[i], H, W) each, or pairs of these and class tokens,
                (B, in_channels[i]), which a readout other than 'ignore' needs.

        Returns:
            (B, out_channels[i], h, w) for the sizes (4 H, 4 W), (2 H, 2 W), (H, W) and
            (ceil(H / 2), ceil(W / 2)), contiguous.

        Raises:
            ValueError: The maps are not those of ``in_channels``, or the class tokens
                are missing.
        """
        patches, tokens = self._split(maps)
        repeats = LEVELS // self.num_inputs
        patches, tokens = patches * repeats, tokens * repeats
        if self.readout == 'add':
            patches = [
                p + t[:, :, None, None] for p, t in zip(patches, tokens, strict=True)
            ]
        elif self.readout == 'project':
            patches = [
                _project(layer, p, t)
                for layer, p, t in zip(self.readouts, patches, tokens, strict=True)
            ]
        return tuple(
            resample(project(map_)).contiguous()
            for project, resample, map_ in zip(
                self.projections, self.resamplers, patches, strict=True
            )
        )

    def _split(self, maps: Any) -> tuple[list[Tensor], list[Tensor]]:
        """Return maps and class tokens, of which there may be none."""
        paired = isinstance(maps, (tuple, list)) and all(
            isinstance(entry, (tuple, list)) and len(entry) == 2 for entry in maps
        )
        if self.readout != 'ignore' and not paired:
            raise ValueError(
                f'readout={self.readout!r} needs (map, class token) pairs; set '
                "output_class_token=True in the backbone ('mean' for one without a "
                "class token), or readout='ignore'"
            )
        patches = [entry[0] for entry in maps] if paired else maps
        check_maps(
            patches,
            self.in_channels,
            'in_channels must be the out_channels of the backbone',
        )
        return list(patches), [entry[1] for entry in maps] if paired else []


def _project(layer: nn.Module, map_: Tensor, token: Tensor) -> Tensor:
    """Mix a class token into every token of a map, (B, C, H, W) -> (B, C, H, W)."""
    tokens = map_.movedim(1, -1)
    both = torch.cat([tokens, token[:, None, None].expand_as(tokens)], dim=-1)
    return layer(both).movedim(-1, 1)
