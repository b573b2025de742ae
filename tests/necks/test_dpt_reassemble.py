"""DPT's pyramid: values by hand, sizes, class tokens, gradients, messages."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS, DefaultScope

from pe_mm import DPTReassemble, PerceptionEncoder

LEVELS = [4, 6, 8, 10]


def maps_of(height=4, width=6, batch=2, count=4):
    return tuple(torch.randn(batch, 12, height, width) for _ in range(count))


def tokens_of(batch=2, count=4):
    return [torch.randn(batch, 12) for _ in range(count)]


def reassembled(neck, maps):
    """DPT's levels as its paper describes them."""
    x = [
        F.conv2d(map_, layer.weight, layer.bias)
        for map_, layer in zip(maps, neck.projections, strict=True)
    ]
    up4, up2, _, down = neck.resamplers
    return (
        F.conv_transpose2d(x[0], up4.weight, up4.bias, stride=4),
        F.conv_transpose2d(x[1], up2.weight, up2.bias, stride=2),
        x[2],
        F.conv2d(x[3], down.weight, down.bias, stride=2, padding=1),
    )


@pytest.mark.parametrize('size', [(4, 6), (5, 3), (1, 1)])
def test_forward__four_layers__are_the_papers_levels_and_contiguous(size) -> None:
    neck, maps = DPTReassemble([12] * 4, LEVELS), maps_of(*size)
    levels = neck(maps)

    height, width = size
    sizes = [(4 * height, 4 * width), (2 * height, 2 * width), size]
    sizes.append(((height + 1) // 2, (width + 1) // 2))
    assert [level.shape for level in levels] == [
        (2, c, *s) for c, s in zip(LEVELS, sizes, strict=True)
    ]
    torch.testing.assert_close(levels, reassembled(neck, maps))
    assert all(level.is_contiguous() for level in levels)
    assert neck.out_channels == tuple(LEVELS)


def test_forward__one_layer__is_repeated() -> None:
    neck, (map_,) = DPTReassemble([12], LEVELS), maps_of(count=1)

    torch.testing.assert_close(neck((map_,)), reassembled(neck, [map_] * 4))


def test_forward__channels_last_input__gives_contiguous_levels() -> None:
    maps = [m.to(memory_format=torch.channels_last) for m in maps_of()]
    assert all(x.is_contiguous() for x in DPTReassemble([12] * 4, LEVELS)(maps))


@pytest.mark.parametrize('count', [1, 4])
def test_readout__ignore__drops_class_tokens(count) -> None:
    neck, maps = DPTReassemble([12] * count, LEVELS), maps_of(count=count)
    pairs = list(zip(maps, tokens_of(count=count), strict=True))

    assert all(map(torch.equal, neck(pairs), neck(maps)))


@pytest.mark.parametrize('count', [1, 4])
def test_readout__add__adds_them_to_every_token(count) -> None:
    neck = DPTReassemble([12] * count, LEVELS, readout='add')
    maps, tokens = maps_of(count=count), tokens_of(count=count)

    summed = [m + t[:, :, None, None] for m, t in zip(maps, tokens, strict=True)]
    torch.testing.assert_close(
        neck(tuple(zip(maps, tokens, strict=True))),
        reassembled(neck, summed * (4 // count)),
    )


@pytest.mark.parametrize('count', [1, 4])
def test_readout__project__mixes_them_into_every_token(count) -> None:
    neck = DPTReassemble([12] * count, LEVELS, readout='project')
    maps, tokens = maps_of(count=count), tokens_of(count=count)

    mixed = []
    for level in range(4):
        map_, token = maps[level % count], tokens[level % count]
        linear = neck.readouts[level][0]
        on_map, on_token = linear.weight.split(12, dim=1)
        x = F.conv2d(map_, on_map[:, :, None, None], linear.bias)
        mixed.append(F.gelu(x + (token @ on_token.T)[:, :, None, None]))
    torch.testing.assert_close(
        neck(tuple(zip(maps, tokens, strict=True))),
        reassembled(neck, mixed),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize('readout', ['ignore', 'add', 'project'])
@pytest.mark.parametrize('count', [1, 4])
def test_backward__any_readout__reaches_every_parameter(readout, count) -> None:
    neck = DPTReassemble([12] * count, LEVELS, readout=readout)
    pairs = tuple(zip(maps_of(count=count), tokens_of(count=count), strict=True))
    sum(level.square().sum() for level in neck(pairs)).backward()

    assert [
        n for n, p in neck.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


@pytest.mark.parametrize('readout', ['ignore', 'project'])
def test_forward__encoder__fits(readout) -> None:
    encoder = PerceptionEncoder(
        dict(depth=4, width=12, heads=3, patch_size=14, image_size=56),
        out_indices='quarters',
        output_class_token=readout != 'ignore',
    )
    neck = DPTReassemble(encoder.out_channels, LEVELS, readout=readout)

    levels = neck(encoder(torch.randn(1, 3, 57, 30)))
    assert [tuple(x.shape[-2:]) for x in levels] == [(20, 12), (10, 6), (5, 3), (3, 2)]


def test_forward__batch__equals_singles() -> None:
    neck = DPTReassemble([12] * 4, LEVELS, readout='project')
    pairs = list(zip(maps_of(batch=3), tokens_of(batch=3), strict=True))
    singles = [neck([(m[i : i + 1], t[i : i + 1]) for m, t in pairs]) for i in range(3)]

    for level, parts in zip(neck(pairs), zip(*singles, strict=True), strict=True):
        torch.testing.assert_close(level, torch.cat(parts), rtol=1e-4, atol=1e-5)


def test_neck__from_other_scopes__is_found() -> None:
    for scope in ('mmseg', 'mmdet'):
        with DefaultScope.overwrite_default_scope(scope):
            assert MODELS.get('pe_mm.DPTReassemble') is DPTReassemble


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(in_channels=12), 'in_channels must be .* one entry per map.*got 12'),
        (dict(in_channels=[12, 12]), 'has 2 entries; give 4 layers, or a single one'),
        (dict(in_channels=[12], out_channels=8), 'must have 4 entries.* got 8'),
        (dict(in_channels=[12], out_channels=[8, 8]), r'must have 4 .* got \[8, 8\]'),
        (dict(in_channels=[12], out_channels=[8, 8, 8, 0]), 'an int >= 1, got 0'),
        (dict(in_channels=[12], readout='cls'), r"one of \('ignore', .* got 'cls'"),
    ],
)
def test_neck__impossible_arguments__are_named(kwargs, message) -> None:
    with pytest.raises(ValueError, match=message):
        DPTReassemble(**kwargs)


def test_forward__other_inputs__are_named() -> None:
    neck = DPTReassemble([12] * 4, LEVELS)
    with pytest.raises(ValueError, match='got 1 map .* built for 4'):
        neck(maps_of(count=1))
    with pytest.raises(ValueError, match='takes the backbone.s tuple of maps'):
        neck(maps_of(count=1)[0])
    with pytest.raises(ValueError, match=r'got 4 maps of \[5, 5, 5, 5\] channels'):
        neck([torch.zeros(1, 5, 2, 2)] * 4)
    with pytest.raises(ValueError, match=r"readout='add' needs .*output_class_token"):
        DPTReassemble([12] * 4, LEVELS, readout='add')(maps_of())
