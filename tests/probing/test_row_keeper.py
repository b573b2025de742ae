"""Which rows are there: by task, layer, seed and all that fixes the number."""

import pytest
from probing_sweeps import colour_task, planted

from pe_mm.probing.results import read_rows
from pe_mm.probing.row_keeper import RowKeeper


def test_pending__rows_of_the_same_work__are_left_out(tmp_path):
    path = tmp_path / 'rows.jsonl'
    task = colour_task()
    keeper = RowKeeper(planted(), path)
    assert keeper.pending(task, [0, 1], [0, 1]) == {0: [0, 1], 1: [0, 1]}
    with keeper.timed(task, 0, 2) as write:
        write({0: 1.0, 1: 2.0})
    with keeper.timed(task, 1, 1) as write:
        write({1: 3.0})

    again = RowKeeper(planted(), path)
    assert again.pending(task, [0, 1, 2], [0, 1]) == {0: [2], 1: [0, 2]}
    assert again.pending(task, [0, 1], [0]) == {}
    longer = colour_task(iterations=21)
    assert again.pending(longer, [0], [0]) == {0: [0]}
    finer = RowKeeper(planted(dtype='bfloat16'), path)
    assert finer.pending(task, [0], [0]) == {0: [0]}


def test_rows__task_without_probes__do_not_claim_rounded_features(tmp_path):
    probed, tracked = colour_task(), colour_task()
    tracked.measure = lambda encoder, layers, on_progress: {}
    keeper = RowKeeper(planted(), tmp_path / 'rows.jsonl')
    for task in (probed, tracked):
        with keeper.timed(task, 0, 1) as write:
            write({0: 1.0})
    one, other = read_rows(tmp_path / 'rows.jsonl')
    assert one.protocol == {**other.protocol, 'features': 'float16'}
    assert 'features' not in other.protocol


def test_timed__numbers_of_a_run__share_its_time(tmp_path):
    path = tmp_path / 'rows.jsonl'
    keeper = RowKeeper(planted(), path)
    with keeper.timed(colour_task(), 5, 2) as write:
        write({1: 0.5, 3: float('nan')})
    one, other = read_rows(path)
    assert (one.layer, one.value, one.seed, one.task) == (1, 0.5, 5, 'linear')
    assert (other.layer, other.seconds) == (3, one.seconds)
    assert other.value != other.value
    with pytest.raises(RuntimeError), keeper.timed(colour_task(), 6, 2):
        raise RuntimeError
    assert len(read_rows(path)) == 2
