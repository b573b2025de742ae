"""Recommendations against cases that can be computed by hand."""

import math

import pytest
from probing_rows import curve_rows, row, sweep_rows

from pe_mm.probing.recommend import out_indices, recommend

DEPTH = {
    'task': 'depth',
    'metric': 'RMSE',
    'higher_is_better': False,
    'config': 'nyu.py',
}
TRACKING = {'task': 'tracking', 'metric': 'J&F', 'config': 'davis.py'}


def only(rows):
    (recommendation,) = recommend(rows)
    return recommendation


def test_recommend__one_task__names_best_ties_and_drop():
    # Differences from layer 2 per seed: (20, 20, 20), (1, -1, 0.6), -, (4, 4.1, 3.9).
    found = only(
        curve_rows([[20, 21, 19], [39, 42, 38.4], [40, 41, 39], [36, 36.9, 35.1]])
    )

    (choice,) = found.tasks
    assert choice.best == 2
    # Mean 0.2, deviation 1.0583: 0.2 +- 4.303 * 1.0583 / sqrt(3) has zero.
    assert choice.ties == (1,)
    assert choice.unsure == ()
    assert choice.last == 3
    assert choice.drop == pytest.approx(4.0)
    assert choice.drop_margin == pytest.approx(4.303 * 0.1 / math.sqrt(3))
    assert (found.single, found.several, found.notes) == (2, (), ())


def test_recommend__lower_is_better__takes_the_lowest():
    (choice,) = only(curve_rows([0.9, 0.25, 0.3], **DEPTH)).tasks

    assert (choice.best, choice.ties) == (1, ())
    assert choice.drop == pytest.approx(0.05)
    assert choice.drop_margin == 0


def test_recommend__equal_means__takes_the_first_and_calls_the_other_a_tie():
    (choice,) = only(curve_rows([1.0, 3.0, 3.0, 2.0])).tasks

    assert (choice.best, choice.ties) == (1, (2,))


def test_recommend__last_layer_is_the_best__drops_nothing():
    (choice,) = only(curve_rows([[1.0], [2.0]])).tasks

    assert (choice.best, choice.last, choice.drop, choice.drop_margin) == (1, 1, 0, 0)


def test_recommend__one_seed__says_that_the_uncertainty_is_unknown():
    found = only(curve_rows([[1.0], [3.0], [2.9]]))

    (choice,) = found.tasks
    assert (choice.best, choice.ties, choice.unsure) == (1, (), (0, 2))
    assert choice.drop_margin is None
    assert found.notes == (
        'segmentation (mIoU): one seed, so the uncertainty is unknown; run at least '
        'three',
    )


def test_recommend__two_tasks__overall_is_the_least_mean_regret():
    # Regrets: (1, 0.5, 0.25, 0) and (1, 0, 0.2, 0.9); means (1, 0.25, 0.225, 0.45).
    rows = curve_rows([0.0, 20.0, 30.0, 40.0])
    rows += curve_rows([1.2, 0.2, 0.4, 1.1], **DEPTH)

    overall = only(rows).overall

    assert [overall.curve.mean(layer) for layer in range(4)] == pytest.approx(
        [1, 0.25, 0.225, 0.45]
    )
    assert overall.best == 2
    assert overall.drop == pytest.approx(0.225)


def test_recommend__two_metrics_of_a_task__weigh_as_one_task():
    # Regrets: depth (0, 1) twice, segmentation (1, 0): means (0.5, 0.5), not (1/3, ...)
    rows = curve_rows([[1.0], [2.0]])
    rows += curve_rows([[0.1], [0.2]], **DEPTH)
    rows += curve_rows([[0.1], [0.3]], **{**DEPTH, 'metric': 'AbsRel'})

    curve = only(rows).overall.curve

    assert [curve.mean(0), curve.mean(1)] == pytest.approx([0.5, 0.5])


def test_recommend__seeds_of_all_tasks__give_the_uncertainty_of_the_whole():
    rows = curve_rows([[0.0, 0.0], [9.0, 11.0]])
    rows += curve_rows([2.0, 0.0], **TRACKING)

    curve = only(rows).overall.curve

    # Seeds of layer 1: regrets (0.1, -0.1) and 1; of layer 0: 1 and 0.
    assert curve.values[0] == pytest.approx({0: 0.5, 1: 0.5})
    assert curve.values[1] == pytest.approx({0: 0.55, 1: 0.45})


def test_recommend__equal_layers__have_no_regret():
    overall = only(curve_rows([3.0, 3.0])).overall

    assert [overall.curve.mean(layer) for layer in (0, 1)] == [0, 0]


def test_recommend__no_layer_serves_all_tasks__offers_the_fewest_that_do():
    # Segmentation 3; depth 1 or 2; tracking 1. Layer 1 serves two, so (1, 3) do it.
    rows = curve_rows([0.0, 5.0, 6.0, 9.0])
    rows += curve_rows([0.9, 0.2, 0.2, 0.5], **DEPTH)
    rows += curve_rows([10.0, 50.0, 40.0, 20.0], **TRACKING)

    assert only(rows).several == (1, 3)


def test_recommend__sets_of_one_size__offers_the_least_regret():
    # Segmentation: 2, or 1 as well; depth: 0. Layer 2 has the lower regret on depth.
    rows = curve_rows([0.0, 9.0, 9.0]) + curve_rows([0.1, 0.9, 0.5], **DEPTH)

    assert only(rows).several == (0, 2)


def test_recommend__a_layer_ties_everywhere__needs_no_other():
    rows = curve_rows([[0, 0.1], [8, 9], [9, 8.2]])
    rows += curve_rows([0.9, 0.2, 0.5], **DEPTH)

    found = only(rows)

    assert (found.tasks[0].best, found.tasks[1].best) == (2, 1)
    assert (found.single, found.several) == (1, ())


def test_recommend__uncertainty_unknown__offers_one_layer_only():
    rows = curve_rows([[0.0], [9.0], [5.0]]) + curve_rows([0.1, 0.9, 0.5], **DEPTH)

    assert only(rows).several == ()


def test_recommend__layers_and_seeds_missing__are_noted_and_left_out():
    rows = curve_rows([[1, 1], [5, 6], [math.nan, 9], [4, 4], [3, 3]])
    rows = [r for r in rows if (r.layer, r.seed) not in ((0, 0), (0, 1), (3, 1))]

    found = only(rows)

    (choice,) = found.tasks
    assert (choice.best, choice.unsure) == (1, (3,))
    assert found.notes == (
        'segmentation (mIoU): not measured: layers 0',
        'segmentation (mIoU): no finite number: layers 2',
        'segmentation (mIoU): not with every seed: layers 3',
    )


def test_recommend__last_layer_not_measured__has_no_drop():
    (choice,) = only([row(layer=3, value=1.0), row(layer=8, value=2.0)]).tasks

    assert (choice.best, choice.last, choice.drop) == (8, None, None)


def test_recommend__tasks_without_a_common_layer__have_no_overall():
    found = only([row(layer=3), row(layer=4, **DEPTH)])

    assert (found.overall, found.single) == (None, None)


def test_recommend__tasks_without_a_common_seed__have_no_overall():
    assert only([row(seed=0), row(seed=1, **DEPTH)]).overall is None


def test_recommend__no_number_at_all__is_said():
    with pytest.raises(ValueError, match='no finite number on any task'):
        recommend([row(value=math.nan)])


def test_recommend__two_encoders__each_has_its_own():
    rows = sweep_rows('PE-Core L/14', 24) + sweep_rows('PE-Spatial B/16', 12, shift=0.3)

    first, second = recommend(rows)

    assert (first.encoder, second.encoder) == ('PE-Core L/14', 'PE-Spatial B/16')
    assert [len(r.tasks) for r in (first, second)] == [4, 4]
    # The made-up peaks are at 0.6 to 0.9 of the depth, and later by 0.3.
    assert 12 <= first.single <= 20
    assert second.single >= 9
    assert first.tasks[3].drop > 5


@pytest.mark.parametrize(
    ('layers', 'text'),
    [(40, 'out_indices=(40,)'), ((3, 7), 'out_indices=(3, 7)')],
)
def test_out_indices__layers__is_a_line_for_a_config(layers, text):
    assert out_indices(layers) == text
