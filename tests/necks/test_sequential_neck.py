"""Necks composed in a config: order, names, scopes and messages."""

import pytest
import torch
from mmdet.models.necks import FPN
from mmengine.registry import MODELS, DefaultScope

from pe_mm import LayerMix, SequentialNeck, SimpleFeaturePyramid

NECKS = [
    dict(type='pe_mm.LayerMix', in_channels=[16, 16]),
    dict(type='pe_mm.SimpleFeaturePyramid', in_channels=16, out_channels=8),
]


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])
def test_necks__mix_then_pyramid__are_applied_in_order(scope) -> None:
    with DefaultScope.overwrite_default_scope(scope):
        neck = MODELS.build(dict(type='pe_mm.SequentialNeck', necks=NECKS))
    mix, pyramid = neck
    assert (type(mix), type(pyramid)) == (LayerMix, SimpleFeaturePyramid)
    maps = (torch.randn(1, 16, 4, 4), torch.randn(1, 16, 4, 4))
    assert all(map(torch.equal, neck(maps), pyramid(mix(maps))))


def test_necks__parameters__are_numbered_and_all_learn() -> None:
    neck = SequentialNeck(NECKS)
    assert {name.split('.')[0] for name in neck.state_dict()} == {'0', '1'}
    assert {'0.layer_logits', '0.scale', '1.levels.0.0.weight'} < set(neck.state_dict())
    target = torch.randn(8, 1, 1)
    levels = neck([torch.randn(1, 16, 4, 4) for _ in range(2)])
    sum((level * target).square().sum() for level in levels).backward()
    assert [n for n, p in neck.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_necks__of_the_host_package__need_no_prefix() -> None:
    necks = [
        *NECKS,
        dict(type='FPN', in_channels=[8] * 4, out_channels=4, num_outs=4),
    ]
    with DefaultScope.overwrite_default_scope('mmdet'):
        neck = MODELS.build(dict(type='pe_mm.SequentialNeck', necks=necks))
    assert type(neck[-1]) is FPN
    levels = neck([torch.randn(1, 16, 4, 4)] * 2)
    assert [tuple(level.shape[1:]) for level in levels] == [
        (4, size, size) for size in (16, 8, 4, 2)
    ]


# The checks of shapes are not part of a trace, and need not be.
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
def test_necks__traced__compute_the_same_at_another_size() -> None:
    neck = SequentialNeck(NECKS).requires_grad_(False)

    def apply(*maps):
        return neck(maps)

    traced = torch.jit.trace(apply, tuple(torch.randn(2, 1, 16, 4, 4)))
    maps = tuple(torch.randn(2, 3, 16, 6, 5))
    for level, wanted in zip(traced(*maps), neck(maps), strict=True):
        torch.testing.assert_close(level, wanted)


def test_necks__init_weights__reaches_every_neck() -> None:
    constant = dict(type='Constant', layer='Conv2d', val=0.5)
    neck = SequentialNeck([NECKS[0], dict(NECKS[1], init_cfg=constant)])
    neck.init_weights()
    assert (neck[1].levels[2][0].weight == 0.5).all()


@pytest.mark.parametrize('necks', [[], None, NECKS[0]])
def test_necks__no_list__says_what_it_takes(necks) -> None:
    with pytest.raises(ValueError, match='a list of the configs of one neck or more'):
        SequentialNeck(necks)
