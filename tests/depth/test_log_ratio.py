"""Log ratios: values, and what is invalid."""

import math

import pytest
import torch

from pe_mm.depth.log_ratio import masked_log_ratio, resolve_valid


def test_ratio__two_pixels__is_that_of_depths_plus_eps() -> None:
    depth, target = torch.tensor([0.9, 3.0]), torch.tensor([0.4, 7.0])
    valid = torch.tensor([True, False])

    ratio = masked_log_ratio(depth, target, valid, eps=0.1)

    assert ratio.tolist() == pytest.approx([math.log(1.0 / 0.5), 0.0])


def test_valid__none_given__is_finite_and_above_zero() -> None:
    target = torch.tensor([2.0, 0.0, -1.0, math.nan, math.inf])

    valid = resolve_valid(torch.ones(5), target, None)

    assert valid.tolist() == [True, False, False, False, False]


def test_valid__given__is_returned() -> None:
    valid = torch.tensor([True, False])
    assert resolve_valid(torch.ones(2), torch.ones(2), valid) is valid


@pytest.mark.parametrize('shapes', [(2, 3, 2), (3, 2, 2), (2, 2, 3)])
def test_valid__shapes_that_differ__are_named(shapes) -> None:
    depth, target, valid = (torch.ones(n) for n in shapes)
    with pytest.raises(ValueError, match='must have one shape') as error:
        resolve_valid(depth, target, valid.bool())
    assert all(f'({n},)' in str(error.value) for n in shapes)
