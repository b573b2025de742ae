"""The DPT depth head: its figure by hand, odd sizes, gradients, messages."""

import pytest
import torch
import torch.nn.functional as F
from depth_models import samples

from pe_mm import DPTReassemble
from pe_mm.depth import DPTDepthHead

LEVELS = [6, 8, 10, 12]


def head_of(**kwargs):
    head = DPTDepthHead(LEVELS, 16, **{'num_bins': 5, **kwargs})
    torch.nn.init.normal_(head.conv_seg.weight)
    return head.eval()


def pyramid(height=4, width=6, batch=1):
    sizes = [(4 * height, 4 * width), (2 * height, 2 * width), (height, width)]
    sizes.append(((height + 1) // 2, (width + 1) // 2))
    return [torch.randn(batch, c, *s) for c, s in zip(LEVELS, sizes, strict=True)]


def unit(module, x):
    """A residual unit: twice ReLU and 3x3 convolution."""
    y = F.conv2d(x.relu(), module.conv1.conv.weight, padding=1)
    return x + F.conv2d(y.relu(), module.conv2.conv.weight, padding=1)


def decoded(head, maps):
    """DPT's decoder as its paper draws it."""
    x = None
    for lateral, block, map_ in reversed(
        list(zip(head.laterals, head.fusions, maps, strict=True))
    ):
        finer = F.conv2d(map_, lateral.weight, padding=1)
        if x is None:
            x = finer
        else:
            x = x[:, :, : finer.shape[2], : finer.shape[3]]
            x = x + unit(block.res_conv_unit1, finer)
        x = F.interpolate(
            unit(block.res_conv_unit2, x), scale_factor=2, mode='bilinear'
        )
        x = F.conv2d(x, block.project.conv.weight, block.project.conv.bias)
    project = head.project.conv
    x = F.conv2d(x, project.weight, project.bias, padding=1).relu()
    return F.conv2d(x, head.conv_seg.weight, head.conv_seg.bias)


@pytest.mark.parametrize('size', [(4, 6), (5, 3), (1, 1)])
@pytest.mark.parametrize('num_bins', [5, None])
def test_forward__any_size__is_the_papers_decoder(size, num_bins) -> None:
    head = head_of(num_bins=num_bins, min_depth=1, max_depth=9)
    maps = pyramid(*size)

    outputs = decoded(head, maps)
    if num_bins is None:
        wanted = 1 + 8 * outputs.sigmoid()
    else:
        weights = outputs.relu() + 0.1
        centres = torch.linspace(1, 9, num_bins)[:, None, None]
        wanted = ((weights * centres).sum(1) / weights.sum(1))[:, None]
    depth = head(maps)
    assert depth.shape == (1, 1, 8 * size[0], 8 * size[1])
    torch.testing.assert_close(depth, wanted)


def test_forward__maps__are_left_as_they_are() -> None:
    head, maps = head_of(), pyramid()
    copies = [map_.clone() for map_ in maps]
    head(maps)

    assert all(map(torch.equal, maps, copies))


@pytest.mark.parametrize('num_bins', [5, None])
@pytest.mark.parametrize('norm_cfg', [None, dict(type='BN')])
def test_loss__behind_the_neck__has_a_gradient_in_every_parameter(
    num_bins, norm_cfg
) -> None:
    neck = DPTReassemble([32], LEVELS)
    head = head_of(
        num_bins=num_bins,
        norm_cfg=norm_cfg,
        loss_decode=[
            dict(type='pe_mm.ScaleInvariantLogLoss', warm_iters=0),
            dict(type='pe_mm.DepthGradientLoss'),
        ],
    ).train()
    target = torch.rand(2, 1, 40, 24) * 9 + 0.5

    maps = neck((torch.randn(2, 32, 5, 3),))
    sum(head.loss(maps, samples(target), {}).values()).backward()

    named = [*neck.named_parameters(), *head.named_parameters()]
    assert [n for n, p in named if p.grad is None or not p.grad.any()] == []


def test_forward__batch__equals_singles() -> None:
    head, maps = head_of(), pyramid(batch=3)

    singles = [head([map_[i : i + 1] for map_ in maps]) for i in range(3)]
    # Convolutions of other shapes add in other orders.
    torch.testing.assert_close(head(maps), torch.cat(singles), rtol=1e-4, atol=1e-4)


def test_forward__autocast__is_that_of_float32() -> None:
    head, maps = head_of(), pyramid()
    with torch.autocast('cpu', torch.bfloat16):
        depth = head(maps)

    assert depth.dtype == torch.float32
    assert torch.equal(depth, head(maps))


def test_regression__untrained__is_near_the_middle_of_the_range() -> None:
    head = DPTDepthHead(LEVELS, 16, num_bins=None, min_depth=1, max_depth=9)
    head.init_weights()

    assert (head(pyramid()) - 5).abs().max() < 0.5


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(in_channels=[8, 8]), r'in_channels=\[8, 8\] must have four entries'),
        (dict(in_channels=8), 'in_channels must be .* one entry per map'),
        (dict(in_channels=LEVELS, channels=0), 'channels must be an int >= 1, got 0'),
        (dict(in_channels=LEVELS, num_bins=1), 'at least 2, got 1; None for no bins'),
        (dict(in_channels=LEVELS, dropout_ratio=-1), r'in \[0, 1\), got -1'),
        (dict(in_channels=LEVELS, max_depth=1e-4), 'got min_depth=0.001, max_depth'),
    ],
)
def test_head__impossible_arguments__are_named(kwargs, message) -> None:
    with pytest.raises(ValueError, match=message):
        DPTDepthHead(**kwargs)


def test_forward__other_maps__are_named() -> None:
    with pytest.raises(ValueError, match=r'4 maps .* for 4 of \[6, 8, 10, 12\]; in'):
        head_of()(pyramid()[::-1])


@pytest.mark.parametrize(
    'sides', [(4, 4, 4, 4), (17, 8, 4, 2), (16, 8, 4, 3), (2, 4, 8, 16)]
)
def test_forward__maps_that_are_no_pyramid__are_named(sides) -> None:
    maps = [torch.zeros(1, c, 8, s) for c, s in zip(LEVELS, sides, strict=True)]
    turned = [map_.transpose(2, 3) for map_ in maps]

    for given in (maps, turned):
        with pytest.raises(ValueError, match=r'as pe_mm.DPTReassemble makes them; got'):
            head_of()(given)
