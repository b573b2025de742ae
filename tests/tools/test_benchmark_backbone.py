"""The benchmark prints its ratios and writes rows; options that cannot go are told."""

import json

import pytest
import torch

QUICK = ['--rounds', '2', '--device', 'cpu', '--batch', '1', '--min-run-time', '0.001']


def quick(*words, rows):
    threads = ['--threads', str(torch.get_num_threads())]
    return [*words, *QUICK, *threads, '--out', str(rows)]


def read(rows):
    return [json.loads(line) for line in rows.read_text().splitlines()]


def test_main__features__prints_ratios_and_writes_rows(
    benchmark, tmp_path, capsys
) -> None:
    rows = tmp_path / 'rows.jsonl'
    words = ['--variants', 'PE-Spatial-T16-512', '--size', '32']
    benchmark.main(quick(*words, rows=rows))
    text = capsys.readouterr().out
    assert text.count('ours / timm') == 4
    assert text.count('floor / ours') == 2
    forward, backward = read(rows)
    assert forward['benchmark'] == 'backbone'
    assert set(forward['seconds']) == {'ours', 'timm', 'floor', 'half'}
    assert all(len(times) == 2 for times in forward['seconds'].values())
    assert backward['peak_bytes']['half'] < 0.6 * backward['peak_bytes']['ours']


def test_main__detection__compares_every_window(benchmark, tmp_path, capsys) -> None:
    rows = tmp_path / 'rows.jsonl'
    words = ['--case', 'detection', '--variants', 'PE-Spatial-T16-512']
    words += ['--size', '128', '--windows', '4', '3']
    benchmark.main(quick(*words, rows=rows))
    text = capsys.readouterr().out
    assert text.count('\n  ours / partition every block') == 4
    assert text.count('memory ours / partition every block') == 4
    written = read(rows)
    assert [(r['window'], r['mode']) for r in written] == [
        (window, mode) for window in (4, 3) for mode in ('forward', 'forward+backward')
    ]
    for row in written:
        assert set(row['seconds']) == {'ours', 'every block', 'all global', 'floor'}
        assert (row['depth'], row['global_blocks']) == (6, [2, 5])
        memory = row['peak_bytes']
        assert memory['ours'] <= memory['every block']


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--depth', '6'], '--depth is for --case detection'),
        (['--case', 'detection', '--depth', '7'], 'no whole number of quarters'),
        (
            ['--case', 'detection', '--size', '1000'],
            'multiple of the 16 px patch: 1000',
        ),
        (['--rounds', '0'], 'must be at least 1, got 0'),
    ],
)
def test_parse_args__impossible__is_one_message(
    benchmark, words, message, capsys
) -> None:
    with pytest.raises(SystemExit, match='2'):
        benchmark.parse_args(words)
    assert message in capsys.readouterr().err
