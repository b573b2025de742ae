"""Tables of claims: seeds become one encoder, numbers are those of the rows."""

import pytest
from probing_rows import curve_rows, row

from pe_mm.nano.claims import claims_table, join_seeds, stages_table


def chain_rows(family, per_layer, **changes):
    """Return rows of trainings of several seeds, from values per layer and seed."""
    rows = []
    for seed in range(len(per_layer[0])):
        rows += curve_rows(
            [values[seed] for values in per_layer],
            encoder=f'{family}, seed {seed}',
            weights=f'{seed}' * 64,
            **changes,
        )
    return rows


def test_join_seeds__trainings__are_seeds_of_one_encoder():
    rows = [row(encoder='PE-Core, a, seed 12', seed=None, weights='ab' * 32)]

    (joined,) = join_seeds(rows)

    assert (joined.encoder, joined.seed, joined.weights) == ('PE-Core, a', 12, None)


def test_join_seeds__another_name__is_an_error():
    with pytest.raises(ValueError, match="'FAMILY, seed N', got 'PE-Core'"):
        join_seeds([row(encoder='PE-Core')])


def test_claims_table__three_seeds__best_of_the_mean_against_the_last():
    rows = chain_rows('core', [[10.0, 12.0, 14.0], [20.0, 22.0, 24.0], [15.0] * 3])
    rows += chain_rows(
        'core',
        [[0.5] * 3, [0.2, 0.3, 0.4], [0.3, 0.4, 0.6]],
        task='depth',
        metric='RMSE',
        higher_is_better=False,
    )

    lines = claims_table(join_seeds(rows)).splitlines()

    # Gains 5, 7 and 9: their deviation is 2, Student's quantile 4.303.
    assert lines[2] == (
        '| core | segmentation, mIoU | 1 of 2 | 22.00 ± 2.00 | 15.00 ± 0.00 | '
        '7.00 ± 4.97 |'
    )
    # Gains 0.1, 0.1 and 0.2.
    assert lines[3].startswith(
        '| core | depth, RMSE | 1 of 2 | 0.3000 ± 0.1000 | 0.4333 ± 0.1528 | 0.1333 ± '
    )


def test_claims_table__one_seed__has_no_spread():
    rows = chain_rows('core', [[10.0], [20.0], [15.0]])

    assert claims_table(join_seeds(rows)).splitlines()[2] == (
        '| core | segmentation, mIoU | 1 of 2 | 20.00 | 15.00 | 5.00 |'
    )


def test_claims_table__best_layer_is_the_last__does_not_differ_from_itself():
    rows = chain_rows('core', [[10.0, 11.0], [20.0, 22.0]])

    assert claims_table(join_seeds(rows)).splitlines()[2] == (
        '| core | segmentation, mIoU | 1 of 1 | 21.00 ± 1.41 | 21.00 ± 1.41 | 0.00 |'
    )


def test_claims_table__last_probe_diverged__no_other_layer_takes_its_place():
    rows = chain_rows('core', [[10.0], [20.0], [float('nan')]])
    rows += chain_rows('lost', [[float('nan')], [float('nan')]])

    lines = claims_table(join_seeds(rows)).splitlines()

    assert lines[2] == (
        '| core | segmentation, mIoU | 1 of 2 | 20.00 | not measured | – |'
    )
    assert lines[3] == f'| lost | segmentation, mIoU |{" no finite number |" * 4}'


def test_stages_table__two_seeds__mean_and_deviation():
    stages = {
        'images': [{'top-1': 50.0, 'R@1': 8.0}, {'top-1': 54.0, 'R@1': 8.0}],
        'clips': [{'top-1': 60.0, 'R@1': 9.0}, {'top-1': 60.0, 'R@1': 9.5}],
    }

    assert stages_table(stages).splitlines() == [
        '| after | top-1 | R@1 |',
        '| --- | --- | --- |',
        '| images | 52.0 ± 2.8 | 8.0 ± 0.0 |',
        '| clips | 60.0 ± 0.0 | 9.2 ± 0.4 |',
    ]
