"""The pyramid of several maps: shapes, values, gradients and messages."""

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from pe_mm import MultiLayerPyramid, SimpleFeaturePyramid


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
    assert neck.out_channels == (8,) * 5


def test_pyramid__level__reads_its_own_layer_only() -> None:
    neck = MultiLayerPyramid([16] * 3, 8, scales=(2, 1, 0.5)).eval()
    maps = [torch.randn(1, 16, 4, 4) for _ in range(3)]
    before = neck(maps)
    maps[1] = torch.randn(1, 16, 4, 4)
    after = neck(maps)
    same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [True, False, True]


def test_pyramid__same_map_for_every_level__is_the_simple_feature_pyramid() -> None:
    neck, simple = MultiLayerPyramid([16] * 4, 8), SimpleFeaturePyramid(16, 8)
    simple.load_state_dict(neck.state_dict(), strict=True)
    map_ = torch.randn(1, 16, 4, 6)
    assert all(map(torch.equal, neck([map_] * 4), simple([map_])))


def test_pyramid__layers_of_different_widths__each_have_their_own() -> None:
    neck = MultiLayerPyramid([8, 12], None, scales=(2, 1))
    maps = (torch.randn(1, 8, 3, 3), torch.randn(1, 12, 3, 3))
    assert [tuple(level.shape) for level in neck(maps)] == [(1, 4, 6, 6), (1, 12, 3, 3)]
    assert neck.out_channels == (4, 12)


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])
def test_pyramid__from_config__learns_in_every_parameter(scope) -> None:
    with DefaultScope.overwrite_default_scope(scope):
        neck = MODELS.build(
            dict(type='pe_mm.MultiLayerPyramid', in_channels=[16] * 4, out_channels=8)
        )
    target = torch.randn(8, 1, 1)
    levels = neck([torch.randn(1, 16, 4, 4)] * 4)
    sum((level * target).square().sum() for level in levels).backward()
    assert [n for n, p in neck.named_parameters() if not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(in_channels=768), r'one entry per map, such as .*; got 768'),
        (dict(in_channels=['8'] * 4), "in_channels must be an int >= 1, got '8'"),
        (dict(in_channels=[8] * 4, out_channels=0), 'out_channels must be an int >= 1'),
        (dict(in_channels=[8, 8]), r'2 maps cannot feed 4 scales \(4\.0, 2\.0'),
        (dict(in_channels=[]), r'0 maps cannot feed 4 scales'),
        (
            dict(in_channels=[8]),
            r'\[8\] is a single map; use pe_mm\.SimpleFeaturePyramid with .*=8',
        ),
        (dict(in_channels=[8] * 4, num_outs=3), 'num_outs=3 is less than the 4 scales'),
        (dict(in_channels=[8, 8], scales=(3, 1)), 'scale 3 is not a power of two'),
        (dict(in_channels=[8, 8], scales=(1, 0)), 'scale 0 is not a power of two'),
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
            r'got 1 map of \[8\] channels, built for 2 of \[8, 8\]',
        ),
        ([torch.zeros(1, 6, 4, 4)] * 2, r'\[6, 6\] channels, .* the out_channels of'),
        ([(torch.zeros(1, 8, 4, 4), torch.zeros(1, 8))] * 2, 'output class tokens'),
    ],
)
def test_pyramid__wrong_maps__are_named(maps, message) -> None:
    with pytest.raises(ValueError, match=message):
        MultiLayerPyramid([8, 8], 8, scales=(2, 1))(maps)
