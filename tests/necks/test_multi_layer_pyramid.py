"""The pyramid's shapes, values, gradients and messages."""

import pytest
import torch
from mmengine.registry import MODELS

from pe_mm import MultiLayerPyramid


def test_pyramid__four_layers__gives_one_level_per_scale() -> None:
    neck = MultiLayerPyramid([32] * 4, 8, num_outs=5)
    maps = [torch.randn(2, 32, 6, 10) for _ in range(4)]
    assert [tuple(level.shape) for level in neck(maps)] == [
        (2, 8, 24, 40),
        (2, 8, 12, 20),
        (2, 8, 6, 10),
        (2, 8, 3, 5),
        (2, 8, 2, 3),
    ]


def test_pyramid__level__reads_its_own_layer_only() -> None:
    neck = MultiLayerPyramid([16] * 3, 8, scales=(2, 1, 0.5)).eval()
    maps = [torch.randn(1, 16, 4, 4) for _ in range(3)]
    before = neck(maps)
    maps[1] = torch.randn(1, 16, 4, 4)
    after = neck(maps)
    same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [True, False, True]


def test_pyramid__one_map__feeds_every_level() -> None:
    neck = MultiLayerPyramid([16], 8, scales=(1, 0.25))
    assert [level.shape[-1] for level in neck([torch.randn(1, 16, 8, 8)])] == [8, 2]


def test_pyramid__levels__are_contiguous_as_mmcvs_operators_read_them() -> None:
    neck = MultiLayerPyramid([16] * 3, 8, scales=(2, 1, 0.5), num_outs=4)
    levels = neck([torch.randn(2, 16, 8, 8)] * 3)
    assert all(level.is_contiguous() for level in levels)


def test_pyramid__extra_level__subsamples_the_last() -> None:
    neck = MultiLayerPyramid([16], 8, scales=(1,), num_outs=2)
    first, extra = neck([torch.randn(1, 16, 6, 6)])
    assert torch.equal(extra, first[..., ::2, ::2])


def test_pyramid__backward__reaches_every_parameter() -> None:
    neck = MODELS.build(
        dict(type='pe_mm.MultiLayerPyramid', in_channels=[16] * 4, out_channels=8)
    )
    sum(
        level.square().sum() for level in neck([torch.randn(1, 16, 4, 4)] * 4)
    ).backward()
    assert [n for n, p in neck.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(in_channels=768), r'one entry per map, such as .*; got 768'),
        (dict(in_channels=['8'] * 4), "in_channels must be an int >= 1, got '8'"),
        (dict(in_channels=[8] * 4, out_channels=0), 'out_channels must be an int >= 1'),
        (dict(in_channels=[8, 8]), r'2 maps cannot feed 4 scales'),
        (dict(in_channels=[8], num_outs=3), 'num_outs=3 is less than the 4 scales'),
        (dict(in_channels=[8], scales=(3,)), 'scale 3 is not a power of two'),
        (dict(in_channels=[8], scales=(0,)), 'scale 0 is not a power of two'),
    ],
)
def test_pyramid__bad_arguments__say_what_is_wrong(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        MultiLayerPyramid(**dict(out_channels=8) | arguments)


@pytest.mark.parametrize(
    ('maps', 'message'),
    [
        (
            [torch.zeros(1, 8, 4, 4)],
            r'got 1 maps of \[8\] channels, built for \[8, 8\]',
        ),
        ([torch.zeros(1, 6, 4, 4)] * 2, r'\[6, 6\] channels, built for \[8, 8\]'),
        ([(torch.zeros(1, 8, 4, 4), torch.zeros(1, 8))] * 2, 'output class tokens'),
    ],
)
def test_pyramid__wrong_maps__are_named(maps, message) -> None:
    with pytest.raises(ValueError, match=message):
        MultiLayerPyramid([8, 8], 8, scales=(2, 1))(maps)
