"""`pe-mm train`: options, resuming after SIGKILL, several processes, clear errors."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mmengine
import pytest
import torch
from torchrun import train_on_two_processes

from pe_mm.cli.main import main

ASSETS = Path(__file__).parents[1] / 'assets'

# Dies inside the second checkpoint's write: its bytes are not all on the disk yet.
KILLED_WHILE_SAVING = """
import os, signal, sys
from pe_mm.cli.main import main
calls = 0
def die(handle):
    global calls
    calls += 1
    if calls == 2:
        os.ftruncate(handle, 100)
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = die
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def toy_config(tmp_path, monkeypatch):
    """A config of its own name, since mmengine keeps one log per name and second."""
    monkeypatch.syspath_prepend(ASSETS)
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / f'toy_{tmp_path.name}.py'
    shutil.copy(ASSETS / 'toy_config.py', path)
    return path


def subprocess_environment():
    root = str(Path(__file__).parents[2])
    return {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ASSETS), root])}


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def train(config, work_dir, *options):
    return main(['train', str(config), '--work-dir', str(work_dir), *options])


def test_train__toy_config__leaves_checkpoint_log_and_config(toy_config, tmp_path):
    work_dir = tmp_path / 'run'

    assert train(toy_config, work_dir) == 0

    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'epoch_3.pth')
    assert [path.name for path in work_dir.glob('*.pth')] == ['epoch_3.pth']
    assert (work_dir / toy_config.name).is_file()
    assert list(work_dir.glob('*/vis_data/scalars.json'))


def test_train__options_and_seed__reach_the_run(toy_config, tmp_path):
    options = ('--seed', '7', '--cfg-options', 'train_cfg.max_epochs=1')
    train(toy_config, tmp_path / 'run', *options)

    meta = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)['meta']
    assert (meta['seed'], meta['epoch']) == (7, 1)


def test_train__resumed_without_its_seed__keeps_it(toy_config, tmp_path):
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    train(toy_config, whole, '--seed', '7')
    train(toy_config, parts, '--seed', '7', '--cfg-options', 'train_cfg.max_epochs=2')

    train(toy_config, parts, '--resume')

    last = parts / 'epoch_3.pth'
    assert torch.load(last, weights_only=True)['meta']['seed'] == 7
    config = mmengine.Config.fromfile(parts / toy_config.name)
    assert config.randomness.seed == 7


def test_train__no_work_dir__is_named_after_the_config(
    toy_config, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    main(['train', str(toy_config), '--cfg-options', 'train_cfg.max_epochs=1'])

    assert (tmp_path / 'work_dirs' / toy_config.stem / 'epoch_1.pth').is_file()


def test_train__killed_while_saving__resumes_to_the_same_weights(toy_config, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    train(toy_config, whole)
    dead = subprocess.run(
        [sys.executable, '-c', KILLED_WHILE_SAVING, 'train', str(toy_config)]
        + ['--work-dir', str(killed)],
        env=subprocess_environment(),
        capture_output=True,
    )
    assert dead.returncode == -9
    assert [path.name for path in killed.glob('*.pth')] == ['epoch_1.pth']

    assert train(toy_config, killed, '--resume') == 0

    resumed, expected = weights(killed / 'epoch_3.pth'), weights(whole / 'epoch_3.pth')
    assert resumed.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(resumed[name], expected[name], rtol=0, atol=0)
    assert not list(killed.glob('.*.partial'))


def test_train__last_checkpoint_is_torn__resumes_from_the_one_before(
    toy_config, tmp_path, capsys
):
    work_dir = tmp_path / 'run'
    keep_all = ('--cfg-options', 'default_hooks.checkpoint.max_keep_ckpts=-1')
    train(toy_config, work_dir, *keep_all)
    expected = weights(work_dir / 'epoch_3.pth')
    torn = work_dir / 'epoch_3.pth'
    torn.write_bytes(torn.read_bytes()[:-200])

    assert train(toy_config, work_dir, '--resume', *keep_all) == 0

    captured = capsys.readouterr()
    assert f'checkpoint {torn} is incomplete or damaged' in captured.err
    assert 'resumed epoch: 2' in captured.out + captured.err
    torch.testing.assert_close(weights(torn), expected, rtol=0, atol=0)


def test_train__resume_without_checkpoint__starts_anew(toy_config, tmp_path, capsys):
    assert train(toy_config, tmp_path / 'run', '--resume') == 0

    assert 'training starts anew' in capsys.readouterr().err
    assert (tmp_path / 'run' / 'epoch_3.pth').is_file()


def test_train__resume_from_missing_file__is_one_message(toy_config, tmp_path, capsys):
    path = tmp_path / 'no.pth'

    assert train(toy_config, tmp_path / 'run', '--resume', str(path)) == 2

    assert f'checkpoint {path} does not exist' in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_train__amp_without_gpu__is_one_message(toy_config, tmp_path, capsys):
    assert train(toy_config, tmp_path / 'run', '--amp') == 2

    assert '--amp needs a GPU' in capsys.readouterr().err


def test_train__unknown_model__is_one_message(toy_config, tmp_path, capsys):
    options = ('--cfg-options', 'model.type=NoSuchModel')

    assert train(toy_config, tmp_path / 'run', *options) == 2

    assert 'NoSuchModel is not in the' in capsys.readouterr().err


def test_train__missing_data__names_path_and_command(toy_config, tmp_path, capsys):
    missing = tmp_path / 'data' / 'demo'
    options = ('--cfg-options', f'train_dataloader.dataset.data_root={missing}')

    assert train(toy_config, tmp_path / 'run', *options) == 2

    message = capsys.readouterr().err
    assert f'{missing} does not exist' in message
    assert f'`pe-mm demo-data {missing}`' in message


def test_train__encoders_file_for_the_whole_model__is_one_message(
    mmseg_config, encoder_file, tmp_path, capsys
):
    options = ('--cfg-options', f'load_from={encoder_file}', 'visualizer.name=trap')

    assert train(mmseg_config, tmp_path / 'run', *options) == 2

    error = capsys.readouterr().err
    assert 'the checkpoint holds a Perception Encoder alone' in error
    assert "model.backbone.init_cfg=dict(type='Pretrained', checkpoint=...)" in error
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_train__resumed_without_the_official_file__goes_on(
    mmseg_config, encoder_file, tmp_path, capsys
):
    official = ('--resume', '--cfg-options', 'model.backbone.init_cfg.type=Pretrained')
    official += (f'model.backbone.init_cfg.checkpoint={encoder_file}',)
    longer = (*official, 'train_cfg.max_iters=4', 'visualizer.name=resumed')
    assert (
        train(mmseg_config, tmp_path / 'run', *official, 'visualizer.name=begun') == 0
    )
    encoder_file.unlink()

    assert train(mmseg_config, tmp_path / 'run', *longer) == 0

    assert (tmp_path / 'run' / 'iter_4.pth').is_file()
    # The record of the run still tells where the weights came from.
    kept = mmengine.Config.fromfile(tmp_path / 'run' / mmseg_config.name)
    assert kept.model.backbone.init_cfg.checkpoint == str(encoder_file)
    # Without a checkpoint to resume from they are needed.
    assert train(mmseg_config, tmp_path / 'new', *longer) == 2
    assert f'no checkpoint {encoder_file}' in capsys.readouterr().err


@pytest.mark.slow
def test_train__torchrun_on_two_cpu_processes__equals_one_process(toy_config, tmp_path):
    """The mean of two half batches' gradients is the whole batch's gradient."""
    train_on_two_processes(
        toy_config, tmp_path / 'two', 'train_dataloader.batch_size=2'
    )
    train(toy_config, tmp_path / 'one')

    two, one = (weights(tmp_path / name / 'epoch_3.pth') for name in ('two', 'one'))
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-5, atol=1e-6)
