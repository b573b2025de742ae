"""Recommendations in words: cells, lines to paste, a terminal's table."""

import io

import pytest
from probing_rows import curve_rows, row, sweep_rows
from rich.console import Console

from pe_mm.probing.recommend import recommend
from pe_mm.probing.wording import (
    COLUMNS,
    advice_lines,
    choice_cells,
    print_recommendations,
)

SEEDED = [[20, 21, 19], [39, 42, 38.4], [40, 41, 39], [36, 36.9, 35.1]]
DEPTH = {'task': 'depth', 'metric': 'RMSE', 'higher_is_better': False}


def cells(rows):
    return choice_cells(recommend(rows)[0].tasks[0])


def printed(rows, width=80):
    output = io.StringIO()
    print_recommendations(recommend(rows), Console(file=output, width=width))
    return output.getvalue()


@pytest.mark.parametrize(
    ('rows', 'expected'),
    [
        (
            curve_rows(SEEDED),
            ('segmentation mIoU ↑', '2: 40.00 ± 1.00', '1', '3: 36.00', '4.00 ± 0.25'),
        ),
        (
            curve_rows([0.9, 0.25, 0.3], **DEPTH),
            ('depth RMSE ↓', '1: 0.2500', '–', '2: 0.3000', '0.0500'),
        ),
        (
            curve_rows([[1.0], [3.0]]),
            ('segmentation mIoU ↑', '1: 3.000', 'unknown', '1: 3.000', '–'),
        ),
        (
            [row(layer=3, value=50.0, seed=None)],
            ('segmentation mIoU ↑', '3: 50.00', '–', 'not measured', '–'),
        ),
    ],
)
def test_choice_cells__choice__has_a_text_per_column(rows, expected):
    found = cells(rows)

    assert found == expected
    assert len(found) == len(COLUMNS)


def test_advice_lines__one_layer_serves_all__is_one_line():
    (found,) = recommend(curve_rows(SEEDED))

    assert advice_lines(found) == [
        'out_indices=(2,)  # best single layer, counted from 0'
    ]


def test_advice_lines__several_layers__say_for_what_each_is():
    rows = curve_rows([0.0, 5.0, 9.0]) + curve_rows([0.9, 0.2, 0.5], **DEPTH)

    (found,) = recommend(rows)

    assert advice_lines(found)[1:] == [
        'out_indices=(1, 2)  # 1 for depth; 2 for segmentation'
    ]


def test_advice_lines__no_common_layer__says_so():
    (found,) = recommend([row(layer=3), row(layer=4, **DEPTH)])

    assert 'no layer was measured on every task' in advice_lines(found)[0]


def test_print_recommendations__four_tasks__fit_80_columns_without_folding():
    lines = printed(sweep_rows()).splitlines()

    (cells,) = [line.split('  ') for line in lines if line.startswith('segmentation')]
    assert [cell.strip() for cell in cells if cell.strip()] == list(
        choice_cells(recommend(sweep_rows())[0].tasks[1])
    )
    assert any(line.startswith('overall regret ↓') for line in lines)


def test_print_recommendations__one_task__has_no_overall_line():
    assert 'overall regret' not in printed(curve_rows(SEEDED))


def test_print_recommendations__labels_like_markup__are_printed_as_they_are():
    rows = curve_rows(SEEDED, encoder='[bold]mine[/bold]', task='[red]')

    text = printed(rows)

    assert '[bold]mine[/bold] (4 layers)' in text
    assert '[red] mIoU' in text
