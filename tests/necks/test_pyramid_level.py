"""One pyramid level: its layers, and the scales that it refuses."""

import pytest
import torch
from torch import nn

from pe_mm.necks.pyramid_level import build_level, octaves_of

MIX = ['Conv2d', 'LayerNorm2d', 'Conv2d', 'LayerNorm2d']


@pytest.mark.parametrize(
    ('scale', 'layers'),
    [
        (4, ['ConvTranspose2d', 'LayerNorm2d', 'GELU', 'ConvTranspose2d']),
        (2.0, ['ConvTranspose2d']),
        (1, []),
        (0.5, ['MaxPool2d']),
        (0.125, ['MaxPool2d']),
    ],
)
def test_level__scale__has_detectron2s_layers_in_its_order(scale, layers) -> None:
    level, width = build_level(32, 8, scale)
    assert [type(layer).__name__ for layer in level] == layers + MIX
    assert width == 8
    assert level(torch.zeros(1, 32, 8, 16)).shape == (1, 8, 8 * scale, 16 * scale)
    biased = {type(m).__name__ for m in level if getattr(m, 'bias', None) is not None}
    assert biased == {'LayerNorm2d', 'ConvTranspose2d'} & set(layers + MIX)
    assert {m.eps for m in level if isinstance(m, nn.LayerNorm)} == {1e-6}


@pytest.mark.parametrize(
    ('scale', 'width', 'layers'),
    [
        (4, 8, ['ConvTranspose2d', 'LayerNorm2d', 'GELU', 'ConvTranspose2d']),
        (2, 16, ['ConvTranspose2d']),
        (1, 32, []),
        (0.5, 32, ['MaxPool2d']),
    ],
)
def test_level__no_out_channels__only_resamples(scale, width, layers) -> None:
    level, out_channels = build_level(32, None, scale)
    assert [type(layer).__name__ for layer in level] == layers
    assert out_channels == width == level(torch.zeros(1, 32, 4, 4)).shape[1]


def test_level__width_that_halves_unevenly__rounds_down() -> None:
    level, width = build_level(6, None, 4)
    assert (level[0].out_channels, level[3].out_channels, width) == (3, 1, 1)


def test_octaves__powers_of_two__count_doublings() -> None:
    assert [octaves_of(scale) for scale in (8, 2.0, 1, 0.5, 0.25)] == [3, 1, 0, -1, -2]


@pytest.mark.parametrize(
    'scale', [3, 0, -2, 0.3, float('inf'), float('nan'), '2', True, None]
)
def test_octaves__other_scale__is_refused(scale) -> None:
    with pytest.raises(ValueError, match=f'scale {scale!r} is not a power of two'):
        octaves_of(scale)


def test_level__too_few_channels__says_so() -> None:
    with pytest.raises(ValueError, match='in_channels=2 cannot be halved 2 times'):
        build_level(2, 8, 4)
