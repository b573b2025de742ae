"""The gradient loss: values by hand, pairs, masks, gradients."""

import math

import pytest
import torch

from pe_mm.depth import DepthGradientLoss

EPS = 1e-3


def depth_of(ratio, target):
    """Return the depth whose log ratio to the target is this."""
    return (target + EPS) * ratio.exp() - EPS


def test_loss__one_scale__is_the_mean_step_right_plus_the_mean_step_down() -> None:
    ratio = torch.tensor([[0.0, 1.0, 3.0], [0.5, 0.5, 0.5]])
    target = torch.rand(2, 3) + 1

    value = DepthGradientLoss(1.0, scales=1)(depth_of(ratio, target), target)

    # Steps right 1, 2, 0, 0; steps down 0.5, 0.5, 2.5.
    assert value.item() == pytest.approx(3 / 4 + 3.5 / 3, rel=1e-5)


def test_loss__four_scales__adds_every_second_row_and_column() -> None:
    target = torch.rand(1, 1, 9, 13) + 1
    ratio = torch.randn(1, 1, 9, 13)
    depth = depth_of(ratio, target)

    wanted = 0.0
    for step in (1, 2, 4, 8):
        r = ratio[..., ::step, ::step]
        wanted += (r[..., 1:] - r[..., :-1]).abs().mean()
        wanted += (r[..., 1:, :] - r[..., :-1, :]).abs().mean()
    torch.testing.assert_close(
        DepthGradientLoss(0.5)(depth, target), 0.5 * wanted, rtol=1e-4, atol=1e-5
    )


def test_loss__common_factor_of_all_depths__is_zero() -> None:
    target = torch.rand(2, 1, 8, 8) + 1
    ratio = torch.full_like(target, 0.7)

    value = DepthGradientLoss()(depth_of(ratio, target), target)

    assert value.item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize('poison', [0.0, math.nan, math.inf, 1e30])
def test_loss__pair_with_an_invalid_pixel__does_not_count(poison) -> None:
    ratio = torch.tensor([[0.0, 1.0, 9.0, 4.0, 4.5]])
    target = torch.ones(1, 5)
    depth = depth_of(ratio, target)
    valid = torch.tensor([[True, True, False, True, True]])
    depth[~valid] = target[~valid] = poison
    depth.requires_grad_()

    value = DepthGradientLoss(1.0, scales=1)(depth, target, valid)
    value.backward()

    assert value.item() == pytest.approx((1 + 0.5) / 2, rel=1e-5)
    assert depth.grad.isfinite().all()
    assert depth.grad[0, 2] == 0


def test_loss__nothing_valid_or_one_pixel__is_zero_with_a_graph() -> None:
    for target in (torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 1, 1)):
        depth = torch.full_like(target, 2.0).requires_grad_()
        value = DepthGradientLoss()(depth, target)
        value.backward()
        assert value.item() == 0
        assert not depth.grad.any()


def test_loss__half_precision__is_that_of_float32() -> None:
    half = torch.rand(2, 1, 8, 8).add(0.01).half().requires_grad_()
    target = torch.rand(2, 1, 8, 8) + 0.01

    value = DepthGradientLoss()(half, target)
    value.backward()

    assert torch.equal(value, DepthGradientLoss()(half.float(), target))
    assert half.grad.isfinite().all() and half.grad.any()


def test_loss__impossible_arguments__are_named() -> None:
    with pytest.raises(ValueError, match='scales must be an int >= 1, got 0'):
        DepthGradientLoss(scales=0)
    with pytest.raises(ValueError, match='must have one shape'):
        DepthGradientLoss()(torch.ones(2, 2), torch.ones(4, 4))
