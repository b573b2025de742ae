"""One level of ViTDet's simple feature pyramid (arXiv 2203.16527, section 3)."""

import math
from typing import Any

from timm.layers import LayerNorm2d
from torch import nn


def octaves_of(scale: Any) -> int:
    """Return how often a scale doubles the resolution; negative where it halves.

    Raises:
        ValueError: The scale is no power of two.
    """
    number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
    octaves = math.log2(scale) if number and scale > 0 else math.nan
    if not octaves.is_integer():
        raise ValueError(f'scale {scale!r} is not a power of two such as 4, 2, 1, 0.5')
    return int(octaves)


def build_level(
    in_channels: int, out_channels: int | None, scale: float
) -> tuple[nn.Sequential, int]:
    """Build what makes a level from a map, and tell the level's channels.

    The layers and their order are those of detectron2's pyramid, so that its weights
    fit after renaming. The norms are timm's: between convolutions they leave maps
    channels-last, which spares copies.

    Args:
        in_channels: Channels of the map; each doubling of the resolution halves them.
        out_channels: Channels after the 1x1 and the 3x3 convolution; None leaves these
            out.
        scale: Size of the level relative to the map, a power of two.

    Raises:
        ValueError: The scale is no power of two, or too large for the channels.
    """
    octaves = octaves_of(scale)
    width = in_channels >> max(octaves, 0)
    if width == 0:
        raise ValueError(
            f'in_channels={in_channels} cannot be halved {octaves} times for scale '
            f'{scale!r}; use a smaller scale'
        )
    layers: list[nn.Module] = []
    for octave in range(octaves):
        channels = in_channels >> octave
        if octave:
            layers += [LayerNorm2d(channels), nn.GELU()]
        layers.append(nn.ConvTranspose2d(channels, channels // 2, 2, stride=2))
    if octaves < 0:
        layers.append(nn.MaxPool2d(2**-octaves))
    if out_channels is None:
        return nn.Sequential(*layers), width
    layers += [
        nn.Conv2d(width, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    ]
    return nn.Sequential(*layers), out_channels
