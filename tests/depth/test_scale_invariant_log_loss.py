"""The scale-invariant loss: values, warm-up, masks, gradients, precision."""

import math

import pytest
import torch

from pe_mm.depth import ScaleInvariantLogLoss

EPS = 1e-3


def loss(**kwargs):
    return ScaleInvariantLogLoss(**{'warm_iters': 0, **kwargs})


def depths(shape=(2, 1, 6, 8), dtype=torch.float32):
    depth, target = (torch.rand(shape) * 9 + 0.5 for _ in range(2))
    return depth.to(dtype).requires_grad_(), target


def test_loss__two_pixels__is_that_by_hand() -> None:
    target = torch.tensor([1.0, 2.0])
    depth = (target + EPS) * torch.tensor([1.0, 4.0]).exp() - EPS

    # g = 1, 4: mean 2.5, variance 2.25.
    wanted = math.sqrt(2.25 + 0.15 * 2.5**2)
    assert loss()(depth, target).item() == pytest.approx(wanted)
    assert loss(loss_weight=10.0)(depth, target).item() == pytest.approx(10 * wanted)
    assert loss(mean_weight=1.0)(depth, target).item() == pytest.approx(math.sqrt(8.5))


def test_loss__against_eigens_form__is_its_root() -> None:
    depth, target = depths()
    g = torch.log(depth + EPS) - torch.log(target + EPS)

    eigen = (g**2).mean() - 0.5 * g.mean() ** 2
    torch.testing.assert_close(loss(mean_weight=0.5)(depth, target), eigen.sqrt())


def test_loss__mean_weight_zero__does_not_see_the_scale() -> None:
    _, target = depths()

    value = loss(mean_weight=0.0)(3 * (target + EPS) - EPS, target)
    assert value.item() == pytest.approx(0, abs=1e-5)


def test_warm_up__in_training__leaves_the_variance_out_for_its_iterations() -> None:
    target = torch.tensor([1.0, 2.0])
    depth = (target + EPS) * torch.tensor([1.0, 4.0]).exp() - EPS
    criterion = loss(warm_iters=2)
    full = math.sqrt(2.25 + 0.15 * 2.5**2)

    assert criterion.eval()(depth, target).item() == pytest.approx(full)
    criterion.train()
    values = [criterion(depth, target).item() for _ in range(4)]

    assert values == pytest.approx([math.sqrt(0.15) * 2.5] * 2 + [full] * 2)


def test_warm_up__resumed__does_not_begin_again() -> None:
    depth, target = depths()
    criterion, resumed = loss(warm_iters=3), loss(warm_iters=3)
    for _ in range(3):
        criterion(depth, target)
    resumed.load_state_dict(criterion.state_dict())

    assert torch.equal(resumed(depth, target), criterion(depth, target))


@pytest.mark.parametrize('poison', [0.0, -3.0, math.nan, math.inf, 1e30])
def test_loss__invalid_pixels__enter_neither_value_nor_gradient(poison) -> None:
    depth, target = depths()
    valid = torch.rand(target.shape) < 0.6
    wanted = loss()(depth[valid], target[valid])
    (gradient,) = torch.autograd.grad(wanted, depth)
    spoiled = depth.detach().where(valid, torch.tensor(poison)).requires_grad_()

    value = loss()(spoiled, target.where(valid, torch.tensor(poison)), valid)
    value.backward()

    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(spoiled.grad, gradient)
    assert not spoiled.grad[~valid].any()


def test_loss__without_a_mask__leaves_out_what_is_no_depth() -> None:
    depth, target = depths((8,))
    wanted = loss()(depth[:4], target[:4])
    target[4:] = torch.tensor([0.0, -1.0, math.nan, math.inf])

    torch.testing.assert_close(loss()(depth, target), wanted)


@pytest.mark.parametrize('training', [True, False])
def test_loss__nothing_valid__is_zero_with_a_graph(training) -> None:
    depth, target = depths()
    value = loss(warm_iters=1).train(training)(depth, torch.zeros_like(target))
    value.backward()

    assert value.item() == 0
    assert not depth.grad.any()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_loss__perfect_prediction__is_zero_with_gradient_zero(dtype) -> None:
    depth, _ = depths(dtype=dtype)
    value = loss()(depth, depth.detach().float())
    value.backward()

    assert value.item() == 0
    assert depth.grad.isfinite().all() and not depth.grad.any()


def test_gradient__against_finite_differences__agrees() -> None:
    depth, target = depths((3, 4))
    # Tiny steps are lost in float32, in which the loss computes.
    (gradient,) = torch.autograd.grad(loss()(depth, target), depth)
    for index in [(0, 0), (1, 2), (2, 3)]:
        step = torch.zeros_like(target)
        step[index] = 1e-2
        slope = (loss()(depth + step, target) - loss()(depth - step, target)) / 2e-2
        torch.testing.assert_close(gradient[index], slope, rtol=2e-3, atol=2e-5)


def test_loss__fp16_and_near_depth__has_the_value_and_gradient_of_float32() -> None:
    half = torch.rand(2, 1, 6, 8).mul(1e-2).half().requires_grad_()
    full = half.detach().float().requires_grad_()
    target = torch.rand(2, 1, 6, 8).mul(1e-2) + 1e-3
    with torch.autocast('cpu', torch.bfloat16):
        value = loss()(half, target)
    wanted = loss()(full, target)
    value.backward()
    wanted.backward()

    assert value.dtype == torch.float32
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(half.grad.float(), full.grad, rtol=1e-3, atol=1e-4)


def test_loss__impossible_arguments__are_named() -> None:
    with pytest.raises(ValueError, match=r'mean_weight must be in \[0, 1\].*got 2'):
        loss(mean_weight=2)
    with pytest.raises(ValueError, match='warm_iters must be at least 0, got -1'):
        loss(warm_iters=-1)
    with pytest.raises(ValueError, match=r'\(1, 1, 2, 2\).*\(1, 1, 4, 4\)'):
        loss()(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 4, 4))
