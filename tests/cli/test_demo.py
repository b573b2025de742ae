"""`pe-mm demo` on a few scenes: what it leaves, continues and refuses."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import cv2
import pytest
import torch

from pe_mm.cli.demo import TASKS, demo_config
from pe_mm.cli.main import COMMANDS, build_parser, main
from pe_mm.data.storage import is_running

# Making scenes, training and testing in new processes take half a minute.
slow = pytest.mark.slow


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """The folders of a demo of one epoch over eight scenes."""
    root = tmp_path_factory.mktemp('demo')
    assert main(words(root)) == 0
    return root


def words(root, *more):
    return [
        'demo',
        *('--work-dir', str(root / 'work'), '--data-dir', str(root / 'data')),
        *('--train', '8', '--val', '4', '--jobs', '2', '--tasks', *TASKS, *more),
        *('--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=4'),
    ]


def rows_of(root):
    lines = (root / 'work' / 'results.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


@slow
def test_demo__small__leaves_logs_checkpoints_curves_rows_and_a_picture(finished):
    work = finished / 'work'

    for task in TASKS:
        assert 'Epoch(train)' in (work / task / 'console.log').read_text()
        assert (work / task / 'epoch_1.pth').is_file()
        assert list((work / task).glob('*/*.log'))
        assert cv2.imread(str(work / task / 'loss_curve.png')) is not None
    # Four scenes in two columns, labels over predictions of three tasks, 512 px each.
    assert cv2.imread(str(work / 'predictions.png')).shape == (4 * 544, 6 * 520, 3)
    rows = rows_of(finished)
    assert [row['task'] for row in rows] == [f'demo {task}' for task in TASKS]
    assert set(rows[0]['metrics']) == {'box AP', 'box AP50', 'mask AP', 'mask AP50'}
    assert set(rows[1]['metrics']) == {'mIoU', 'mAcc', 'aAcc'}
    assert set(rows[2]['metrics']) == {'RMSE', 'AbsRel', 'd1'}
    for row in rows:
        assert (row['seed'], row['epochs'], row['training_scenes']) == (0, 1, 8)
        assert row['versions']['torch'] == torch.__version__
        assert len(row['checkpoint_sha256']) == 64


@pytest.mark.parametrize(('train', 'taken'), [(1201, 1200), (1200, None), (8, None)])
def test_demo_config__part_of_the_scenes__is_all_where_there_are_no_more(train, taken):
    args = build_parser(list(COMMANDS)).parse_args(['demo', '--train', str(train)])

    cfg = demo_config('depth', args)

    assert cfg.train_dataloader.dataset.get('indices') == taken
    assert 'indices' not in cfg.test_dataloader.dataset


@slow
def test_demo__started_again__says_it_is_finished(finished, capsys):
    rows = rows_of(finished)

    assert main(words(finished)) == 0

    output = capsys.readouterr().out
    assert 'finished before; `pe-mm demo --redo` does it again' in output
    assert 'predictions.png' in output
    assert rows_of(finished) == rows


@slow
def test_demo__interrupted_before_the_tests__continues_there(finished, capsys):
    state_file = finished / 'work' / 'demo.json'
    state = json.loads(state_file.read_text())
    state_file.write_text(json.dumps({**state, 'metrics': {}}))
    checkpoint = finished / 'work' / 'depth' / 'epoch_1.pth'
    trained = checkpoint.stat().st_mtime_ns

    assert main(words(finished)) == 0

    assert 'training, log' not in capsys.readouterr().out
    assert json.loads(state_file.read_text())['metrics'] == state['metrics']
    assert checkpoint.stat().st_mtime_ns == trained


@slow
def test_demo__other_seed_in_the_same_folder__is_one_message(finished, capsys):
    assert main(words(finished, '--seed', '1')) == 2

    assert 'holds a demo that differs in configs; replace it' in capsys.readouterr().err


def test_demo__no_training_at_once__is_one_message(tmp_path, capsys):
    assert main(['demo', '--jobs', '0', '--work-dir', str(tmp_path)]) == 2

    assert '--jobs must be at least 1, got 0' in capsys.readouterr().err


@slow
@pytest.mark.skipif(
    not Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').is_file(),
    reason='finds processes in /proc',
)
def test_demo__killed_in_a_training__leaves_none_and_continues(finished, capsys):
    work = finished / 'killed'
    arguments = [*words(finished), 'train_cfg.max_epochs=10']
    arguments[arguments.index('--work-dir') + 1] = str(work)
    demo = subprocess.Popen([sys.executable, '-m', 'pe_mm', *arguments])
    try:
        wait_for(
            lambda: list(work.glob('*/epoch_*.pth')) or demo.poll() is not None,
            seconds=600,
        )
        trainings = descendants(demo.pid)
        # With multiprocessing's own two, what they are forked from and its tracker.
        assert len(trainings) >= 4
    finally:
        demo.kill()
        demo.wait()

    wait_for(lambda: not any(is_running(pid) for pid in trainings), seconds=60)
    assert not list(work.glob('*/epoch_10.pth'))
    begun = {path.parent.name for path in work.glob('*/epoch_*.pth')}
    assert main(arguments) == 0

    assert 'trained in' in capsys.readouterr().out
    state = json.loads((work / 'demo.json').read_text())
    assert begun
    assert begun <= set(state['resumed'])
    assert state['metrics'].keys() == set(TASKS)
    assert all((work / task / 'epoch_10.pth').is_file() for task in TASKS)


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def descendants(pid):
    """Find the processes that a process has started, and theirs."""
    children = []
    with suppress(OSError):  # It has ended.
        for task in Path(f'/proc/{pid}/task').iterdir():
            children += [int(word) for word in (task / 'children').read_text().split()]
    return children + [found for child in children for found in descendants(child)]
