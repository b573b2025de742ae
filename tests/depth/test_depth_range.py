"""Depth ranges: what is valid, expectations over bins, messages."""

import math

import pytest
import torch

from pe_mm.depth.depth_range import DepthRange


def test_valid__limits_and_missing_depth__only_the_far_limit_counts() -> None:
    depth = torch.tensor([0.0, 1.0, 1.1, 10.0, 10.1, math.nan, math.inf, -math.inf])

    assert DepthRange(1, 10).valid(depth).tolist() == [
        False,
        False,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_expectation__three_bins__is_that_by_hand() -> None:
    logits = torch.tensor([-5.0, 0.9, 3.9])[None, :, None, None]

    # Weights 0.1, 1 and 4 of the centres 2, 6 and 10.
    depth = DepthRange(2, 10).expectation(logits)

    assert depth.shape == (1, 1, 1, 1)
    assert depth.item() == pytest.approx((0.1 * 2 + 1 * 6 + 4 * 10) / 5.1)


def test_expectation__no_positive_logit__is_the_middle() -> None:
    depth = DepthRange(1, 9).expectation(torch.full((2, 256, 3, 4), -7.0))

    torch.testing.assert_close(depth, torch.full((2, 1, 3, 4), 5.0))


def test_squash__any_value__stays_inside() -> None:
    depth = DepthRange(1, 9).squash(torch.tensor([-1e4, 0.0, 1e4]))

    assert depth.tolist() == [1, 5, 9]


@pytest.mark.parametrize(
    'limits',
    [(0, 1), (2, 2), (3, 1), (1, math.inf), (math.nan, 1), ('1', 2), (True, 2)],
)
def test_range__impossible_limits__are_named(limits) -> None:
    with pytest.raises(ValueError, match='0 < min_depth < max_depth') as error:
        DepthRange(*limits)
    assert f'min_depth={limits[0]!r}' in str(error.value)
