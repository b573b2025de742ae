"""The linear depth head: values, gradients, precision, messages."""

import copy

import pytest
import torch
import torch.nn.functional as F
from depth_models import samples

from pe_mm.depth import LinearDepthHead

BN = dict(type='BN')


def head_of(in_channels=8, **kwargs):
    head = LinearDepthHead(in_channels, **{'norm_cfg': None, 'num_bins': 5, **kwargs})
    torch.nn.init.normal_(head.conv_seg.weight)
    return head.eval()


def measured(shape=(2, 1, 12, 16)):
    return torch.rand(shape) * 9 + 0.5


def test_forward__one_map__is_norm_convolution_and_expectation() -> None:
    head = head_of(norm_cfg=BN, min_depth=1, max_depth=9)
    head.norm.running_mean.normal_()
    head.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 8, 3, 4)

    tokens = x.movedim(1, -1)
    normed = (tokens - head.norm.running_mean) / (head.norm.running_var + 1e-5).sqrt()
    logits = F.linear(normed, head.conv_seg.weight[:, :, 0, 0], head.conv_seg.bias)
    weights = logits.clamp(min=0) + 0.1
    wanted = (weights * torch.tensor([1.0, 3, 5, 7, 9])).sum(-1) / weights.sum(-1)
    torch.testing.assert_close(head((x,)), wanted[:, None])


def test_forward__without_bins__is_squashed_into_the_range() -> None:
    head = head_of(num_bins=None, min_depth=1, max_depth=9)
    x = torch.randn(2, 8, 3, 4)

    values = F.conv2d(x, head.conv_seg.weight, head.conv_seg.bias)
    assert values.shape == (2, 1, 3, 4)
    torch.testing.assert_close(head((x,)), 1 + 8 * values.sigmoid())


def test_forward__several_maps__are_concatenated() -> None:
    head, single = head_of([4, 6]), head_of(10)
    single.load_state_dict(head.state_dict())
    maps = (torch.randn(2, 4, 3, 5), torch.randn(2, 6, 3, 5))

    assert torch.equal(head(maps), single((torch.cat(maps, 1),)))


def test_forward__upsample__is_that_of_upsampled_features() -> None:
    head, finer = head_of(), head_of(upsample=4)
    finer.load_state_dict(head.state_dict())
    x = torch.randn(1, 8, 3, 5)

    features = F.interpolate(x, scale_factor=4, mode='bilinear')
    assert finer((x,)).shape == (1, 1, 12, 20)
    torch.testing.assert_close(finer((x,)), head((features,)))


def test_loss__training__has_a_gradient_in_every_parameter() -> None:
    head = head_of(norm_cfg=BN, dropout_ratio=0.1).train()
    head.loss((torch.randn(2, 8, 3, 4),), samples(measured()), {})[
        'loss_silog'
    ].backward()

    assert [n for n, p in head.named_parameters() if not p.grad.any()] == []


def test_forward__autocast__is_float32_and_loses_nothing() -> None:
    head = head_of()
    x, target = torch.randn(2, 8, 3, 4), measured()
    plain = head.loss((x,), samples(target), {})['loss_silog']
    with torch.autocast('cpu', torch.bfloat16):
        depth = head((x,))
        mixed = head.loss((x,), samples(target), {})['loss_silog']
        rough = head.loss((x.bfloat16(),), samples(target), {})['loss_silog']

    assert depth.dtype == torch.float32
    assert torch.equal(depth, head((x,)))
    assert torch.equal(mixed, plain)
    torch.testing.assert_close(rough, plain, rtol=1e-2, atol=0)  # bfloat16 features


def test_forward__batch__equals_singles() -> None:
    head = head_of([4, 4], upsample=2)
    maps = (torch.randn(3, 4, 5, 3), torch.randn(3, 4, 5, 3))

    singles = [head([map_[i : i + 1] for map_ in maps]) for i in range(3)]
    torch.testing.assert_close(head(maps), torch.cat(singles))


def test_state_dict__saved_and_loaded__gives_the_same_depth() -> None:
    head = head_of(norm_cfg=BN)
    other = copy.deepcopy(head)
    torch.nn.init.normal_(other.conv_seg.weight)
    other.load_state_dict(head.state_dict())
    x = torch.randn(1, 8, 3, 4)

    assert torch.equal(other((x,)), head((x,)))


def test_head__what_an_estimator_reads__is_one_channel_of_depth() -> None:
    head = head_of()

    assert (head.out_channels, head.num_classes, head.align_corners) == (1, 1, False)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(in_channels=0), 'in_channels must be an int >= 1, got 0'),
        (dict(in_channels=[]), r'in_channels=\[\] names no map'),
        (dict(num_bins=1), 'num_bins must be at least 2, got 1; None for no bins'),
        (dict(upsample=0.5), 'upsample must be an int >= 1, got 0.5'),
        (dict(dropout_ratio=1.0), r'dropout_ratio must be in \[0, 1\), got 1.0'),
        (dict(min_depth=0.0), '0 < min_depth < max_depth.*got min_depth=0.0'),
    ],
)
def test_head__impossible_arguments__are_named(kwargs, message) -> None:
    with pytest.raises(ValueError, match=message):
        head_of(**kwargs)


def test_forward__other_maps__are_named() -> None:
    head = head_of([4, 4])

    with pytest.raises(
        ValueError,
        match=r'1 map of \[4\] channels, built for 2 of \[4, 4\]; in_channels must be',
    ):
        head([torch.zeros(1, 4, 2, 2)])
    with pytest.raises(ValueError, match=r'single one: \(map,\); got Tensor'):
        head(torch.zeros(2, 4, 2, 2))
    pair = (torch.zeros(1, 4, 2, 2), torch.zeros(1, 4))
    with pytest.raises(ValueError, match=r"got \['tuple', 'tuple'\].*class tokens"):
        head([pair, pair])
