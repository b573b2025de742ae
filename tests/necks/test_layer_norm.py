"""The channel norm: its values, and what mmcv makes of it."""

import pytest
import torch
from mmcv.cnn import ConvModule, build_norm_layer
from mmcv.cnn.bricks.norm import is_norm
from mmcv.ops import RoIAlign
from mmdet.models.necks import FPN
from mmengine.registry import DefaultScope
from torch import nn

from pe_mm import LayerNorm2d

CFG = dict(type='pe_mm.LayerNorm2d', eps=1e-6)


def randomise(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.normal_(parameter)


def test_norm__map__is_normalised_over_channels_at_every_place() -> None:
    norm = LayerNorm2d(6)
    randomise(norm)
    x = 3 * torch.randn(2, 6, 3, 5) + 1
    mean = x.mean(dim=1, keepdim=True)
    deviation = (x.var(dim=1, keepdim=True, correction=0) + 1e-6).sqrt()
    gain, shift = norm.weight.view(1, 6, 1, 1), norm.bias.view(1, 6, 1, 1)
    torch.testing.assert_close(norm(x), (x - mean) / deviation * gain + shift)


def test_norm__memory_layout__is_that_of_the_input() -> None:
    norm, x = LayerNorm2d(6), torch.randn(2, 6, 3, 5)
    channels_last = x.to(memory_format=torch.channels_last)
    assert norm(x).is_contiguous()
    out = norm(channels_last)
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out, norm(x))


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg', 'mmengine'])
def test_build_norm_layer__from_any_scope__is_named_ln(scope) -> None:
    with DefaultScope.overwrite_default_scope(scope):
        name, norm = build_norm_layer(dict(CFG, requires_grad=False), 8)
    assert (name, type(norm), norm.eps) == ('ln', LayerNorm2d, 1e-6)
    assert norm.weight.shape == (8,)
    assert not norm.weight.requires_grad
    # What mmengine's norm_decay_mult goes by.
    assert is_norm(norm)


def test_build_norm_layer__without_eps__has_mmcvs() -> None:
    _, norm = build_norm_layer(dict(type='pe_mm.LayerNorm2d'), 8)
    assert norm.eps == 1e-5
    assert LayerNorm2d(8).eps == 1e-6


def test_conv_module__conv_norm_relu__is_their_composition() -> None:
    module = ConvModule(4, 8, 3, padding=1, norm_cfg=CFG)
    assert sorted(module.state_dict()) == ['conv.weight', 'ln.bias', 'ln.weight']
    randomise(module)
    x = torch.randn(2, 4, 5, 7)
    convolved = nn.functional.conv2d(x, module.conv.weight, padding=1)
    normed = nn.functional.layer_norm(
        convolved.movedim(1, -1), (8,), module.ln.weight, module.ln.bias, 1e-6
    ).movedim(-1, 1)
    torch.testing.assert_close(module(x), normed.clamp(min=0))


def test_conv_module__in_place_activation__keeps_gradients_right() -> None:
    module = ConvModule(2, 4, 3, padding=1, norm_cfg=CFG).double()
    randomise(module)
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,))


def test_mmdets_fpn__with_this_norm__feeds_roi_align_the_right_values() -> None:
    fpn = FPN([4, 4], 8, 2, norm_cfg=CFG)
    level = fpn([torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)])[0].detach()
    align = RoIAlign(output_size=3, spatial_scale=1.0)
    boxes = torch.tensor([[0.0, 1, 1, 6, 5]])
    copied = level.clone(memory_format=torch.contiguous_format)
    torch.testing.assert_close(align(level, boxes), align(copied, boxes))
