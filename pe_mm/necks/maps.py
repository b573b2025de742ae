"""What necks and heads expect of the maps that a backbone hands over."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pe_mm.variants import check_count


def check_widths(in_channels: Any) -> list[int]:
    """Return the channels of several maps as a list of ints.

    Raises:
        ValueError: It is no sequence, or an entry is no int >= 1.
    """
    if isinstance(in_channels, str) or not isinstance(in_channels, Sequence):
        raise ValueError(
            "in_channels must be the encoder's out_channels, one entry per map, "
            f'such as [768, 768]; got {in_channels!r}'
        )
    return [check_count('in_channels', width) for width in in_channels]


def check_maps(
    maps: Any,
    in_channels: Sequence[int],
    fix: str,
    *,
    in_index: Sequence[int] | None = None,
) -> None:
    """Check that maps are what a neck or a head was built for.

    Args:
        maps: The backbone's outputs.
        in_channels: The channels of each map that it was built for.
        fix: What to do if these are others; ends the message.
        in_index: Which of the maps it takes; None for all, which must be as many.

    Raises:
        ValueError: No tuple or list of (B, C, H, W) tensors of these channels, or none
            at an index.
    """
    if not isinstance(maps, (tuple, list)):
        raise ValueError(
            "this part takes the backbone's tuple of maps, also of a single one: "
            f'(map,); got {type(maps).__name__}'
        )
    if in_index is not None:
        if not all(-len(maps) <= index < len(maps) for index in in_index):
            raise ValueError(
                f'got {len(maps)} maps, none at in_index={in_index}; {fix}'
            )
        maps = [maps[index] for index in in_index]
    widths = [
        map_.shape[1] if isinstance(map_, Tensor) and map_.dim() == 4 else None
        for map_ in maps
    ]
    if widths == list(in_channels):
        return
    if None in widths:
        got = [
            tuple(map_.shape) if isinstance(map_, Tensor) else type(map_).__name__
            for map_ in maps
        ]
        raise ValueError(
            f'this part takes tensors of the shape (B, C, H, W), got {got}; the '
            'backbone must not output class tokens'
        )
    count = '1 map' if len(widths) == 1 else f'{len(widths)} maps'
    raise ValueError(
        f'got {count} of {widths} channels, built for {len(in_channels)} of '
        f'{list(in_channels)}; {fix}'
    )
