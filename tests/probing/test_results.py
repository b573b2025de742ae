"""Rows of results: what they hold, and a file that no kill can spoil."""

import json
import math
import multiprocessing
import os
import signal
import time

import pytest
import torch
from probing_rows import row

from pe_mm.probing.results import (
    append_rows,
    finished,
    read_rows,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'work' / 'rows.jsonl'


def test_rows__written_and_read__are_equal(path):
    rows = [
        row(),
        row(layer=11, seed=None, weights=None, variant={'depth': 12, 'width': 192}),
        row(protocol={'crop': (512, 512), 'name': 'linear “probe”', 'lr': 1e-3 / 3}),
    ]

    append_rows(path, rows[:1])
    append_rows(path, rows[1:])

    assert read_rows(path) == rows


def test_rows__no_finite_value__is_null_in_the_file_and_nan_again(path):
    append_rows(path, [row(value=math.nan), row(value=math.inf)])

    assert [json.loads(line)['value'] for line in path.open()] == [None, None]
    assert all(math.isnan(read.value) for read in read_rows(path))


@pytest.mark.parametrize('kept', [1, 20, 300, -2])
def test_rows__last_line_torn__is_dropped_and_then_repaired(path, kept):
    append_rows(path, [row(layer=layer) for layer in range(3)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b''.join(lines[:2]) + lines[2][:kept])

    assert [read.layer for read in read_rows(path)] == [0, 1]

    append_rows(path, [row(layer=7)])
    assert [read.layer for read in read_rows(path)] == [0, 1, 7]
    assert path.read_bytes().count(b'\n') == 3


def test_rows__only_the_last_newline_missing__nothing_is_lost(path):
    append_rows(path, [row(layer=0), row(layer=1)])
    path.write_bytes(path.read_bytes()[:-1])

    assert [read.layer for read in read_rows(path)] == [0, 1]

    append_rows(path, [row(layer=2)])
    assert [read.layer for read in read_rows(path)] == [0, 1, 2]


def append_many(path, seed, times):
    for layer in range(times):
        append_rows(path, [row(layer=layer, num_layers=times, seed=seed)] * 2)


def test_append_rows__four_processes__do_not_mix_lines(path):
    context = multiprocessing.get_context('fork')
    workers = [
        context.Process(target=append_many, args=(path, seed, 25)) for seed in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    rows = read_rows(path)
    assert len(rows) == 4 * 25 * 2
    assert len(finished(rows)) == 4 * 25
    # The two rows of a call stay together.
    assert [r.key for r in rows[::2]] == [r.key for r in rows[1::2]]


def test_append_rows__killed_many_times__keeps_all_that_it_returned_from(path):
    context = multiprocessing.get_context('fork')
    kept = 0
    for seed in range(5):
        worker = context.Process(target=append_many, args=(path, seed, 10_000))
        worker.start()
        time.sleep(0.1)
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        rows = read_rows(path)
        assert len(rows) > kept
        assert [read.layer for read in rows if read.seed == seed][::2] == list(
            range((len(rows) - kept + 1) // 2)
        )
        kept = len(rows)


def test_append_rows__disk_full_in_the_middle__leaves_the_file_as_it_was(
    path, monkeypatch
):
    append_rows(path, [row()])
    before = path.read_bytes()
    write = os.write

    def full(file, data):
        if len(data) < 1000:
            raise OSError(28, 'No space left on device')
        return write(file, data[:100])

    monkeypatch.setattr(os, 'write', full)
    with pytest.raises(OSError, match=r'cannot add results to .*: No space left'):
        append_rows(path, [row(layer=1), row(layer=2)])
    assert path.read_bytes() == before


@pytest.mark.parametrize('content', [b'# notes', b'{"seed": 0}\n', b'\x89PNG\r\n'])
def test_append_rows__other_file__is_not_touched(tmp_path, content):
    path = tmp_path / 'file'
    path.write_bytes(content)

    with pytest.raises(ValueError, match='does not hold results of pe_mm'):
        append_rows(path, [row()])
    assert path.read_bytes() == content


def edited(**changes):
    content = {**json.loads(json.dumps(vars(row()))), 'format': 'pe_mm result 1'}
    content.update(changes)
    return json.dumps({k: v for k, v in content.items() if v != 'absent'})


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('layer 5: 40.0', 'not JSON (Expecting value'),
        ('\udcff'.encode(errors='surrogateescape'), 'not JSON'),
        ('[1, 2]', 'not a JSON object'),
        ('{"seed": 0}', "the format is None, pe_mm 0.1.0 reads 'pe_mm result 1'"),
        (edited(format='pe_mm result 2'), "the format is 'pe_mm result 2', pe_mm"),
        (edited(seed='absent', task='absent'), 'lacks seed, task'),
        (edited(lr=0.1), 'has unknown lr'),
        (edited(layer='5'), "layer must be a block id, 0 or above, got '5'"),
        (edited(layer=12), 'layer 12 does not exist: PE-Spatial B/16 has blocks 0..11'),
    ],
)
def test_read_rows__bad_line__is_named(path, line, message):
    append_rows(path, [row()])
    line = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(path.read_bytes() + line + b'\n')

    with pytest.raises(ValueError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f'{path}, line 2: ')
    assert message in str(caught.value)


def test_read_rows__no_file__is_said(path):
    with pytest.raises(FileNotFoundError, match='rows.jsonl'):
        read_rows(path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'task': ' '}, 'task must be a text'),
        ({'encoder': 'two\nlines'}, 'encoder must be a text of printable characters'),
        ({'encoder': 'half \ud83d'}, 'encoder must be a text of printable characters'),
        ({'value': True}, 'value must be a number, got True'),
        ({'value': '0.5'}, "value must be a number, got '0.5'"),
        ({'higher_is_better': 1}, 'higher_is_better must be true or false, got 1'),
        ({'layer': -1}, 'layer must be a block id, 0 or above, got -1'),
        ({'layer': 12}, r'layer 12 does not exist: .* has blocks 0\.\.11'),
        ({'seed': 0.5}, 'seed must be an integer'),
        ({'weights': 'PE-Core'}, 'weights must be a SHA-256'),
        ({'weights': 7}, 'weights must be a SHA-256'),
        ({'tokens': (32,)}, r'tokens must be \(height, width\), got \(32,\)'),
        ({'protocol': {'lr': math.nan}}, 'protocol must be names with values that'),
        ({'protocol': {'lr': torch.ones(1)}}, 'protocol must be names with values'),
        ({'protocol': 'linear'}, 'protocol must be names with values'),
        ({'seconds': -1}, 'seconds must be a number, 0 or above'),
    ],
)
def test_row__wrong_field__is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        row(**changes)


def test_finished__rows_read_again__tell_what_is_done(path):
    append_rows(path, [row(layer=layer, seed=1) for layer in (0, 1, 2)])
    done = finished(read_rows(path))

    for layer in range(5):
        wanted = row(layer=layer, seed=1, value=math.nan, seconds=0, versions={})
        assert (wanted.key in done) == (layer < 3)


@pytest.mark.parametrize(
    'changes',
    [
        {'seed': 1},
        {'weights': None},
        {'metric': 'aAcc'},
        {'tokens': (16, 16)},
        {'protocol': {'probe': 'linear', 'iterations': 80_000, 'lr': 1e-3}},
        {'encoder': 'PE-Core B/16'},
        {'config': 'configs/probing/demo.py'},
    ],
)
def test_key__other_work__differs(changes):
    assert row(**changes).key != row().key


def test_key__order_of_the_protocol__does_not_matter():
    turned = dict(reversed(list(row().protocol.items())))

    assert row(protocol=turned).key == row().key
