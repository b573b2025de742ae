"""`pe-mm test`: metrics, saved predictions, strict checkpoints."""

import shutil
from pathlib import Path

import mmengine
import pytest
import torch

from pe_mm.cli.main import main
from pe_mm.cli.test import draw_predictions

ASSETS = Path(__file__).parents[1] / 'assets'


@pytest.fixture
def toy_config(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ASSETS)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f'toy_{tmp_path.name}.py'
    shutil.copy(ASSETS / 'toy_config.py', path)
    return path


@pytest.fixture
def checkpoint(tmp_path):
    """Weights that sum their four inputs and add 2, so that every error is 2."""
    path = tmp_path / 'exact.pth'
    state = {'linear.weight': torch.ones(1, 4), 'linear.bias': torch.full((1,), 2.0)}
    torch.save({'state_dict': state, 'meta': {}}, path)
    return path


def test_test__known_weights__prints_their_error(toy_config, checkpoint, capsys):
    assert main(['test', str(toy_config), str(checkpoint)]) == 0

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith('error: ')
    assert float(last.removeprefix('error: ')) == pytest.approx(2.0, abs=1e-5)


def test_test__out__saves_a_prediction_per_sample(toy_config, checkpoint, tmp_path):
    out = tmp_path / 'predictions.pkl'

    main(['test', str(toy_config), str(checkpoint), '--out', str(out)])

    assert len(mmengine.load(out)) == 16


def test_test__out_is_no_pickle__is_one_message(toy_config, checkpoint, capsys):
    words = ['test', str(toy_config), str(checkpoint), '--out', 'predictions.json']

    assert main(words) == 2
    assert '--out must end with .pkl, got predictions.json' in capsys.readouterr().err


def test_test__checkpoint_is_missing__is_one_message(toy_config, tmp_path, capsys):
    assert main(['test', str(toy_config), str(tmp_path / 'no.pth')]) == 2
    assert f'{tmp_path / "no.pth"} does not exist' in capsys.readouterr().err


def test_test__checkpoint_is_torn__is_one_message(toy_config, checkpoint, capsys):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])

    assert main(['test', str(toy_config), str(checkpoint)]) == 2
    assert f'checkpoint {checkpoint} is' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('state', 'message'),
    [
        ({'linear.weight': torch.ones(1, 4)}, 'linear.bias'),
        ({'linear.weight': torch.ones(1, 5), 'linear.bias': torch.ones(1)}, 'size'),
        (
            {
                'linear.weight': torch.ones(1, 4),
                'linear.bias': torch.ones(1),
                'second.weight': torch.ones(1),
            },
            'second.weight',
        ),
    ],
    ids=['missing', 'misshapen', 'unexpected'],
)
def test_test__checkpoint_of_another_model__names_the_parameter(
    toy_config, tmp_path, capsys, state, message
):
    path = tmp_path / 'other.pth'
    torch.save({'state_dict': state, 'meta': {}}, path)

    assert main(['test', str(toy_config), str(path)]) == 2

    error = capsys.readouterr().err
    assert 'is not of the model in the config' in error
    assert message in error


def test_test__checkpoint_holds_a_list__is_one_message(toy_config, tmp_path, capsys):
    path = tmp_path / 'list.pth'
    torch.save([torch.ones(1)], path)

    assert main(['test', str(toy_config), str(path)]) == 2
    assert f'checkpoint {path} holds no state dict' in capsys.readouterr().err


def test_test__flexible_runner__tests_the_weights_of_the_file(
    toy_config, checkpoint, capsys
):
    options = ('runner_type=FlexibleRunner', 'strategy.type=SingleDeviceStrategy')
    words = ['test', str(toy_config), str(checkpoint), '--cfg-options', *options]

    assert main(words) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert float(last.removeprefix('error: ')) == pytest.approx(2.0, abs=1e-5)


def test_draw_predictions__mmdet__draws_into_the_folder(tmp_path):
    cfg = mmengine.Config({'default_scope': 'mmdet'})

    draw_predictions(cfg, tmp_path)

    assert cfg.default_hooks.visualization == {
        'type': 'DetVisualizationHook',
        'draw': True,
        'test_out_dir': str(tmp_path),
    }


def test_draw_predictions__mmseg__saves_where_its_visualizer_does(tmp_path):
    hook = {'type': 'SegVisualizationHook'}
    cfg = mmengine.Config(
        {'default_scope': 'mmseg', 'default_hooks': {'visualization': hook}}
    )

    draw_predictions(cfg, tmp_path)

    assert cfg.default_hooks.visualization.draw is True
    assert cfg.visualizer.save_dir == str(tmp_path)


def test_draw_predictions__unknown_scope__is_an_error(tmp_path):
    with pytest.raises(ValueError, match='visualization in a config of mmengine'):
        draw_predictions(mmengine.Config({'default_scope': 'mmengine'}), tmp_path)


def test_test__mmseg_config_trained_by_train__prints_iou_and_draws(
    mmseg_config, tmp_path, capsys
):
    config = mmseg_config
    work_dir = ['--work-dir', str(tmp_path / 'run')]

    assert main(['train', str(config), *work_dir]) == 0
    checkpoint = str(tmp_path / 'run' / 'iter_2.pth')
    # A process has one visualizer per name; the training's saves elsewhere.
    shown = ['--show-dir', str(tmp_path / 'shown')]
    shown += ['--cfg-options', 'visualizer.name=tested']
    assert main(['test', str(config), checkpoint, *work_dir, *shown]) == 0

    assert 'mIoU: ' in capsys.readouterr().out
    assert len(list((tmp_path / 'shown').rglob('*.png'))) == 2


def test_test__encoders_file_for_the_whole_model__is_one_message(
    mmseg_config, encoder_file, tmp_path, capsys
):
    work_dir = ['--work-dir', str(tmp_path / 'run')]

    assert main(['test', str(mmseg_config), str(encoder_file), *work_dir]) == 2

    assert 'holds a Perception Encoder alone' in capsys.readouterr().err
