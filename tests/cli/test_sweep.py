"""pe-mm sweep: what it writes and prints, under torchrun too, and what it refuses."""

import json
import os
import subprocess
import sys

import pytest
from mmengine.registry import DefaultScope

from pe_mm.cli.main import main
from pe_mm.cli.sweep import DEMO_WEIGHTS
from pe_mm.data.demo_scenes import make_demo_data
from pe_mm.engine.run_report import file_sha256
from pe_mm.probing.results import read_rows

ENCODER = 'timm/test_vit.r160_in1k'


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    """A folder of a few small demo scenes and a clip."""
    root = tmp_path_factory.mktemp('scenes') / 'demo'
    return make_demo_data(root, train=4, val=2, clips=1, size=64, frames=3, workers=1)


@pytest.fixture
def words(scenes, tmp_path):
    """The arguments of a sweep that takes seconds."""
    return [
        'sweep', ENCODER, '--demo', '--data-root', str(scenes), '--tokens', '4',
        '--iterations', '3', '--batch-size', '2', '--layers', '0,2,5',
        '--device', 'cpu', '--out', str(tmp_path / 'out'),
    ]  # fmt: skip


def values(folder):
    return {
        (row.task, row.layer, row.seed): row.value
        for row in read_rows(folder / 'rows.jsonl')
    }


def test_sweep__all_tasks__are_measured_reported_and_not_twice(words, tmp_path, capsys):
    assert main([*words, '--recommend']) == 0

    rows = values(tmp_path / 'out')
    tasks = ('detection', 'segmentation', 'depth', 'knn', 'linear', 'tracking')
    assert set(rows) == {
        (task, layer, None if task in ('knn', 'tracking') else 0)
        for task in tasks
        for layer in (0, 2, 5)
    }
    printed = capsys.readouterr().out
    assert 'out_indices=(' in printed
    assert 'in memory' in printed
    assert 'for features of 4 images' in printed
    made = {path.name for path in (tmp_path / 'out').iterdir()}
    assert {'rows.jsonl', 'report.html', 'layer_sweep.png', 'layer_sweep.svg'} <= made
    assert not list((tmp_path / 'out').rglob('*.bin'))

    assert main([*words, '--tasks', 'depth', 'tracking']) == 0
    assert 'depth: its rows are there already' in capsys.readouterr().out
    assert values(tmp_path / 'out') == rows


def test_sweep__another_scope_is_left_from_before__does_not_matter(words, tmp_path):
    with DefaultScope.overwrite_default_scope('mmseg'):
        assert main([*words, '--tasks', 'detection', '--layers', '2']) == 0

    assert set(values(tmp_path / 'out')) == {('detection', 2, 0)}


def test_sweep__two_processes__write_the_numbers_of_one(words, tmp_path):
    tasks = ['--tasks', 'segmentation', 'knn', '--features', 'store']
    assert main([*words, *tasks]) == 0
    launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    out = ['--out', str(tmp_path / 'two')]
    subprocess.run(
        [*launch, '--nproc-per-node', '2', '-m', 'pe_mm', *words, *tasks, *out],
        check=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
    )
    assert values(tmp_path / 'two') == values(tmp_path / 'out')


def test_sweep__rows_of_another_budget__are_kept_and_the_report_says_why(
    words, tmp_path, capsys
):
    assert main([*words, '--tasks', 'linear']) == 0
    before = values(tmp_path / 'out')
    assert main([*words, '--tasks', 'linear', '--iterations', '4']) == 0
    assert 'no report of' in capsys.readouterr().err
    rows = read_rows(tmp_path / 'out' / 'rows.jsonl')
    assert [row.value for row in rows[:3]] == list(before.values())
    assert len(rows) == 6


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (['--layers', '0,6'], 'layer 6 does not exist: the encoder has blocks 0..5'),
        (['--layers', 'first'], "layers 'first' are no layer choice"),
        (['--tasks', 'pose'], "unknown task 'pose'; use some of detection"),
        (['--data', 'depth'], "--data takes TASK=PATH, got 'depth'"),
        (['--data', 'depth=a', 'depth=b'], '--data names depth twice'),
        (['--data', 'depth=no.py'], 'config no.py does not exist'),
        (['--data-root', '/no/demo'], 'make the demo data with `pe-mm demo-data'),
        (['--seeds', '1', '1'], '--seeds must be different and at least 0, got 1 1'),
        (['--tokens', '0'], '--tokens must be at least 1, got 0'),
        (['--workers', '-1'], '--workers must be at least 0, got -1'),
        (['--device', 'cdua'], '--device cdua cannot be used'),
        (['--weights', '/no.pth'], 'no checkpoint'),
        (['--out', '/dev/null'], '/dev/null is a file'),
        (['--out', '/proc/none'], '--out /proc/none cannot be written to'),
    ],
)
def test_sweep__wrong_option__is_one_message(words, tmp_path, capsys, changes, message):
    assert main([*words, *changes]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert printed[-1].startswith('pe-mm: error: ')
    assert message in printed[-1]
    assert not (tmp_path / 'out' / 'rows.jsonl').exists()


def test_sweep__demo_without_encoder__takes_the_nano_pe_core(
    words, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = [word for word in words if word != ENCODER]
    assert main([*words, '--tasks', 'knn']) == 0
    rows = read_rows(tmp_path / 'out' / 'rows.jsonl')
    assert {row.encoder for row in rows} == {'stage2_video_text'}
    assert {row.weights for row in rows} == {file_sha256(DEMO_WEIGHTS)}
    card = json.loads(DEMO_WEIGHTS.with_name('weights.json').read_text())
    assert {row.weights for row in rows} == {card[DEMO_WEIGHTS.name]['sha256']}


def test_sweep__no_encoder_and_no_demo__is_one_message(words, capsys):
    words = [word for word in words if word not in (ENCODER, '--demo')]
    assert main([*words, '--data', 'knn=x', '--tasks', 'knn']) == 2
    assert 'no ENCODER to measure: give a config' in capsys.readouterr().err


def test_sweep__options_that_change_the_data__are_measured_anew(words, tmp_path):
    words = [*words, '--tasks', 'knn']
    assert main(words) == 0
    swap = 'train_dataloader.dataset.data_prefix.img=images/validation/'
    files = 'train_dataloader.dataset.ann_file=annotations/instances_validation.json'
    assert main([*words, '--cfg-options', swap, files]) == 0
    rows = read_rows(tmp_path / 'out' / 'rows.jsonl')
    assert [row.layer for row in rows] == [0, 2, 5, 0, 2, 5]
    # What was learned by heart is recognised.
    assert {row.value for row in rows[3:]} == {100.0}


def test_sweep__task_without_data__is_one_message(words, capsys):
    words = [word for word in words if word != '--demo']
    assert main([*words, '--tasks', 'depth']) == 2
    assert 'task depth has no data: give a config' in capsys.readouterr().err


def test_sweep__file_of_other_rows__is_left_alone(words, tmp_path, capsys):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'rows.jsonl').write_text('my notes\n')
    assert main([*words, '--tasks', 'linear']) == 2
    assert 'rows.jsonl' in capsys.readouterr().err
    assert (tmp_path / 'out' / 'rows.jsonl').read_text() == 'my notes\n'
