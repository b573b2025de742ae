"""Curves: rows put together, and what keeps rows from being compared."""

import math

import pytest
from probing_rows import curve_rows, row, sweep_rows
from scipy import stats

from pe_mm.probing.curves import gather_curves, list_layers


def one_curve(*args, **changes):
    (curve,) = gather_curves(curve_rows(*args, **changes))
    return curve


def test_gather_curves__two_encoders_four_tasks__keep_their_order():
    rows = sweep_rows('B', 12) + sweep_rows('L', 24)

    curves = gather_curves(rows)

    tasks = ['detection', 'segmentation', 'depth', 'tracking']
    assert [curve.task for curve in curves] == tasks * 2
    assert [curve.num_layers for curve in curves] == [12] * 4 + [24] * 4
    assert [curve.is_random for curve in curves] == [True, True, True, False] * 2


def test_curve__three_seeds__mean_and_spread_are_those_of_the_values():
    curve = one_curve([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]])

    assert curve.mean(0) == 3.0
    # Squared deviations 4 + 1 + 9, over 3 - 1.
    assert curve.spread(0) == pytest.approx(math.sqrt(7))
    assert (curve.mean(1), curve.spread(1)) == (5.0, 0.0)


def test_curve__one_seed__has_no_spread():
    assert one_curve([[1.0], [2.0]]).spread(0) is None


def test_curve__a_seed_without_a_number__the_layer_is_left_out():
    curve = one_curve([[1.0, 2.0], [math.nan, 3.0], [2.0, 2.0]])

    assert curve.layers == (0, 2)
    assert math.isnan(curve.mean(1))


@pytest.mark.parametrize('seeds', [2, 3, 5, 10])
def test_gain__several_seeds__is_scipys_paired_interval(seeds):
    first = [40.0 + math.sin(3 * n) for n in range(seeds)]
    second = [39.5 + math.cos(5 * n) for n in range(seeds)]
    gain, margin = one_curve([first, second]).gain(0, 1)

    interval = stats.ttest_rel(first, second).confidence_interval(0.95)

    # The quantiles are kept with three decimals.
    assert gain - margin == pytest.approx(interval.low, rel=1e-3)
    assert gain + margin == pytest.approx(interval.high, rel=1e-3)


def test_gain__what_a_seed_adds_to_both_layers__is_no_uncertainty():
    curve = one_curve([[10.0, 20.0, 30.0], [11.0, 21.0, 31.0]])

    assert curve.gain(1, 0) == (1.0, 0.0)


def test_gain__lower_is_better__is_positive_for_the_lower():
    curve = one_curve([[0.5, 0.5], [0.25, 0.25]], metric='RMSE', higher_is_better=False)

    assert curve.gain(1, 0) == (0.25, 0.0)


def test_gain__only_one_common_seed__uses_it_and_has_no_margin():
    rows = curve_rows([[10.0, 20.0]], seeds=(0, 1)) + [row(layer=1, value=13.0, seed=0)]
    rows = [row(**{**vars(r), 'num_layers': 12}) for r in rows]
    (curve,) = gather_curves(rows)

    assert curve.gain(1, 0) == (3.0, None)


def test_gain__nothing_random__is_certain():
    assert one_curve([1.0, 4.0]).gain(1, 0) == (3.0, 0.0)


@pytest.mark.parametrize(
    ('top', 'text'), [(43.2, '0.12'), (-43.2, '0.12'), (2.5, '0.123'), (0.3, '0.1235')]
)
def test_text__scale_of_the_metric__gives_the_digits(top, text):
    assert one_curve([0.1, top]).text(0.12345) == text


def test_gather_curves__no_rows__is_said():
    with pytest.raises(ValueError, match='no results to compare'):
        gather_curves([])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'protocol': {'probe': 'linear', 'iterations': 80_000, 'lr': 1e-3}},
            "rows of encoder 'PE-Spatial B/16' on 'segmentation' cannot be compared: "
            'protocol.iterations is 40000 and 80000; give only rows that agree',
        ),
        (
            {'protocol': {'probe': 'linear', 'iterations': 40_000}},
            'protocol.lr is 0.001 and None',
        ),
        (
            {'resolution': (448, 448), 'tokens': (28, 28)},
            'resolution is (512, 512) and (448, 448); tokens is (32, 32) and (28, 28)',
        ),
        (
            {'weights': None},
            "rows of encoder 'PE-Spatial B/16' cannot be compared: weights is 'abab",
        ),
        ({'task': 'depth', 'num_layers': 24}, 'num_layers is 12 and 24'),
        ({'config': 'demo.py'}, "config is 'configs/probing/ade20k.py' and 'demo.py'"),
        (
            {'encoder': 'DINOv3', 'tokens': (16, 16)},
            "rows of task 'segmentation' by 'PE-Spatial B/16' and 'DINOv3' cannot be "
            'compared: tokens is (32, 32) and (16, 16)',
        ),
        ({'encoder': 'DINOv3', 'higher_is_better': False}, 'higher_is_better is True'),
        ({'value': 41.0}, 'layer 5, seed 0, is 40.0 in one row and 41.0 in another'),
        ({'seed': None}, 'has rows with a seed and rows without one'),
    ],
)
def test_gather_curves__rows_that_differ__says_in_what(changes, message):
    with pytest.raises(ValueError) as caught:
        gather_curves([row(), row(**changes)])
    assert message in str(caught.value)


def test_gather_curves__encoders_with_other_patches__compare_at_equal_tokens():
    other = row(encoder='PE-Core L/14', resolution=(448, 448), num_layers=24)

    assert len(gather_curves([row(), other])) == 2


def test_gather_curves__same_row_twice__counts_once():
    (curve,) = gather_curves([row(), row(), row(seconds=3.0)])

    assert curve.values == {5: {0: 40.0}}


@pytest.mark.parametrize(
    ('layers', 'text'),
    [((), ''), ((3,), '3'), ((0, 1, 2, 7, 9, 10), '0-2, 7, 9-10')],
)
def test_list_layers__ids__are_runs(layers, text):
    assert list_layers(layers) == text
