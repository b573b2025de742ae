"""What depth heads share: losses by name, at the measured size, of valid depth only."""

import math

import pytest
import torch
import torch.nn.functional as F
from depth_models import samples
from mmengine.runner import load_state_dict

from pe_mm.depth import DepthGradientLoss, LinearDepthHead, ScaleInvariantLogLoss


def head_of(**kwargs):
    """The simplest of them."""
    head = LinearDepthHead(8, norm_cfg=None, num_bins=5, **kwargs)
    torch.nn.init.normal_(head.conv_seg.weight)
    return head.eval()


def measured(shape=(2, 1, 12, 16)):
    return torch.rand(shape) * 9 + 0.5


def test_loss__depth__is_resized_to_the_measured_one() -> None:
    head = head_of()
    x, target = torch.randn(2, 8, 3, 4), measured()

    losses = head.loss((x,), samples(target), {})

    depth = F.interpolate(head((x,)), (12, 16), mode='bilinear')
    wanted = ScaleInvariantLogLoss().eval()(depth, target)
    assert losses.keys() == {'loss_silog'}
    torch.testing.assert_close(losses['loss_silog'], wanted)


def test_loss__several__are_named_or_added_by_name() -> None:
    silog = dict(type='pe_mm.ScaleInvariantLogLoss')
    gradient = dict(type='pe_mm.DepthGradientLoss', loss_weight=2.0)
    head = head_of(loss_decode=[silog, gradient, gradient])
    x, target = torch.randn(2, 8, 3, 4), measured()

    losses = head.loss((x,), samples(target), {})

    depth = F.interpolate(head((x,)), (12, 16), mode='bilinear')
    wanted = 2 * DepthGradientLoss(2.0)(depth, target)
    assert losses.keys() == {'loss_silog', 'loss_gradient'}
    torch.testing.assert_close(losses['loss_gradient'], wanted)


@pytest.mark.parametrize('poison', [0.0, -1.0, math.nan, math.inf, 1e-3, 10.5, 65.535])
def test_loss__invalid_depth__enters_neither_loss_nor_gradients(poison) -> None:
    gradient = dict(type='pe_mm.DepthGradientLoss')
    head = head_of(loss_decode=[dict(type='pe_mm.ScaleInvariantLogLoss'), gradient])
    x, target = torch.randn(2, 8, 3, 4), measured()
    valid = torch.rand(target.shape) < 0.7
    spoiled = target.where(valid, torch.tensor(poison))
    missing = target.where(valid, torch.tensor(0.0))

    results = []
    for depth in (spoiled, missing):
        losses = head.loss((x,), samples(depth), {})
        total = sum(losses.values())
        results.append((total, torch.autograd.grad(total, list(head.parameters()))))

    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)
    assert results[0][0].isfinite() and results[0][0] > 0


SILOG = dict(type='pe_mm.ScaleInvariantLogLoss', warm_iters=3)
GRADIENT = dict(type='pe_mm.DepthGradientLoss')
FORMS = [SILOG, [SILOG], [SILOG, GRADIENT], [GRADIENT, SILOG]]


def counts(head):
    """The counts of iterations of a head's losses."""
    return [int(b) for n, b in head.named_buffers() if n.endswith('.iteration')]


@pytest.mark.parametrize('saved', FORMS)
@pytest.mark.parametrize('loaded', FORMS)
@pytest.mark.parametrize('load', [torch.nn.Module.load_state_dict, load_state_dict])
def test_state_dict__other_form_of_losses__keeps_the_count(saved, loaded, load) -> None:
    before, after = head_of(loss_decode=saved).train(), head_of(loss_decode=loaded)
    for _ in range(2):
        before.loss((torch.randn(2, 8, 3, 4),), samples(measured()), {})
    # As in an estimator.
    model = torch.nn.ModuleDict(dict(decode_head=after))
    state = torch.nn.ModuleDict(dict(decode_head=before)).state_dict()
    load(model, state, strict=True)

    assert counts(before) == counts(after) == [2]
    assert torch.equal(after.conv_seg.weight, before.conv_seg.weight)
    assert [name for name in state if name.endswith('.iteration')]


@pytest.mark.parametrize('form', FORMS)
def test_state_dict__without_a_count__warms_up_again(form) -> None:
    gradient, other = head_of(loss_decode=GRADIENT), head_of(loss_decode=form).train()
    other.loss((torch.randn(2, 8, 3, 4),), samples(measured()), {})
    assert counts(other) == [1]
    other.load_state_dict(gradient.state_dict())

    assert counts(other) == [0]
    # Nor is it in the way of a head without it.
    gradient.load_state_dict(other.state_dict())


def test_state_dict__anything_else_missing__is_still_named() -> None:
    head = head_of()
    state = head.state_dict()
    del state['conv_seg.bias']

    with pytest.raises(RuntimeError, match=r'Missing key.*conv_seg\.bias'):
        head.load_state_dict(state)


def test_head__in_index__is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"in_index=0 .* the backbone's out_indices"):
        head_of(in_index=0)
