"""`pe-mm demo` on a few scenes: what it leaves, continues and refuses."""

import json

import cv2
import pytest
import torch

from pe_mm.cli.main import main

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
        *('--train', '8', '--val', '4', '--processes', '1', *more),
        *('--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=4'),
    ]


@slow
def test_demo__small__leaves_log_checkpoint_curve_pictures_and_row(finished):
    work = finished / 'work'

    assert (work / 'epoch_1.pth').is_file()
    assert list(work.glob('*/*.log'))
    for name in ('loss_curve.png', 'predictions.png'):
        assert cv2.imread(str(work / name)) is not None
    row = json.loads((work / 'results.jsonl').read_text())
    assert set(row['metrics']) == {'box AP', 'box AP50', 'mask AP', 'mask AP50'}
    assert (row['seed'], row['epochs'], row['training_scenes']) == (0, 1, 8)
    assert row['versions']['torch'] == torch.__version__
    assert len(row['checkpoint_sha256']) == 64


@slow
def test_demo__started_again__says_it_is_finished(finished, capsys):
    rows = (finished / 'work' / 'results.jsonl').read_text()

    assert main(words(finished)) == 0

    output = capsys.readouterr().out
    assert 'finished before; `pe-mm demo --redo` does it again' in output
    assert 'predictions.png' in output
    assert (finished / 'work' / 'results.jsonl').read_text() == rows


@slow
def test_demo__interrupted_before_the_test__continues_there(finished, capsys):
    state_file = finished / 'work' / 'demo.json'
    state = json.loads(state_file.read_text())
    state_file.write_text(json.dumps({**state, 'metrics': {}}))
    trained = (finished / 'work' / 'epoch_1.pth').stat().st_mtime_ns

    assert main(words(finished)) == 0

    assert '[2/3] training' not in capsys.readouterr().out
    assert json.loads(state_file.read_text())['metrics'] == state['metrics']
    assert (finished / 'work' / 'epoch_1.pth').stat().st_mtime_ns == trained


@slow
def test_demo__other_seed_in_the_same_folder__is_one_message(finished, capsys):
    assert main(words(finished, '--seed', '1')) == 2

    assert 'holds a demo with another config' in capsys.readouterr().err


def test_demo__no_process__is_one_message(tmp_path, capsys):
    assert main(['demo', '--processes', '0', '--work-dir', str(tmp_path)]) == 2

    assert '--processes must be at least 1, got 0' in capsys.readouterr().err
