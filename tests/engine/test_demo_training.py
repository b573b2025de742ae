"""The trainings of a demo: in processes that end with it, and say why they fail."""

import multiprocessing

import pytest

from pe_mm.cli.demo import demo_config
from pe_mm.cli.main import COMMANDS, build_parser
from pe_mm.data.demo_scenes import make_demo_data
from pe_mm.engine.demo_state import DemoState
from pe_mm.engine.demo_training import train

pytestmark = pytest.mark.slow


@pytest.fixture
def state(tmp_path):
    (tmp_path / 'work').mkdir()
    return DemoState(tmp_path / 'work', {})


@pytest.fixture(autouse=True)
def _no_process_is_left():
    before = multiprocessing.active_children()
    yield
    assert set(multiprocessing.active_children()) <= set(before)


@pytest.fixture
def configs(tmp_path):
    """Configs of the shortest and of an endless training."""
    data = tmp_path / 'data'
    make_demo_data(data, train=4, val=1, clips=0, clutter=0, workers=1)
    words = ['demo', '--work-dir', str(tmp_path / 'work'), '--data-dir', str(data)]
    words += ['--train', '4', '--cfg-options', 'train_dataloader.batch_size=4']
    args = build_parser(list(COMMANDS)).parse_args(words)
    made = {task: demo_config(task, args) for task in ('depth', 'segmentation')}
    made['depth'].train_cfg.max_epochs = 1
    made['segmentation'].train_cfg.max_epochs = 100_000
    return made


def test_train__closed__ends_the_trainings(state, configs):
    trainings = train(state, configs, jobs=2, threads=1)

    assert next(trainings) == ('depth', 1)
    trainings.close()

    assert state.seconds.keys() == {'depth'}
    assert state.seconds['depth'] > 0
    assert (state.work_dir / 'depth' / 'epoch_1.pth').is_file()


def test_train__one_fails__says_why_and_ends_the_others(state, configs, capfd):
    configs['depth'].optim_wrapper.optimizer.lr = -1

    with pytest.raises(ChildProcessError) as caught:
        list(train(state, configs, jobs=2, threads=1))

    assert 'the training of depth failed (exit status ' in str(caught.value)
    assert str(state.work_dir / 'depth' / 'console.log') in str(caught.value)
    assert 'Invalid learning rate: -1' in capfd.readouterr().err
    assert state.seconds == {}
