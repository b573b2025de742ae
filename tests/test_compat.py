"""The workarounds do their work, and nothing more."""

import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.config import config as mmengine_config
from mmengine.logging import HistoryBuffer, MessageHub

from pe_mm import compat


def run_python(code: str) -> subprocess.CompletedProcess:
    """Run code in a fresh process: what is tested happens once per process."""
    return subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code)], capture_output=True, text=True
    )


# Loads compat.py alone: importing the package would already call its functions.
LOAD_COMPAT = f"""
import importlib.util
spec = importlib.util.spec_from_file_location('compat', {compat.__file__!r})
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
"""

# A torch that cannot load torchvision's library, whichever build is installed.
REFUSE_LIBRARY = """
import torch
def refuse(path):
    raise OSError(f'{path}: libtorch_cuda.so: cannot open shared object file')
torch.ops.load_library = refuse
"""


def test_import_torchvision__library_does_not_load__fails_without_the_declaration():
    done = run_python(REFUSE_LIBRARY + 'import torchvision')

    assert done.returncode != 0
    assert 'operator torchvision::nms does not exist' in done.stderr


def test_declare_torchvision_ops__library_does_not_load__import_works():
    done = run_python(
        REFUSE_LIBRARY
        + LOAD_COMPAT
        + """
print(compat.declare_torchvision_ops(), compat.declare_torchvision_ops())
import torchvision
print(torchvision.extension._has_ops())
"""
    )

    assert done.stdout.splitlines() == ["('nms', 'qnms') ()", 'False'], done.stderr


def test_declare_torchvision_ops__library_loads__declares_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, 'torchvision', raising=False)
    monkeypatch.setattr(compat, '_load_torchvision_library', lambda: True)

    assert compat.declare_torchvision_ops() == ()


@pytest.fixture
def checkpoint(tmp_path):
    """What mmengine's Runner writes beside tensors."""
    hub = MessageHub('run')
    hub.update_scalar('train/loss', 0.5)
    hub.update_scalar('train/acc', np.float64(2.0))
    hub.update_info('best_score', np.float32(0.25))
    hub.update_info('done', np.bool_(True))
    hub.update_info('iter', 3)
    torch.save({'message_hub': hub.state_dict()}, tmp_path / 'iter_3.pth')
    return tmp_path / 'iter_3.pth'


def test_mmengine_checkpoint__not_allowed__safe_loading_refuses(checkpoint):
    done = run_python(f"""
        import torch
        torch.load({str(checkpoint)!r}, weights_only=True)
    """)

    assert 'Weights only load failed' in done.stderr


def test_mmengine_checkpoint__allowed__safe_loading_gives_the_history(checkpoint):
    compat.allow_mmengine_checkpoints()

    hub = torch.load(checkpoint, weights_only=True)['message_hub']

    assert hub['log_scalars']['train/loss'].mean() == 0.5
    assert hub['log_scalars']['train/acc'].max() == 2.0
    assert hub['runtime_info']['best_score'] == 0.25
    assert hub['runtime_info']['done']
    assert hub['runtime_info']['iter'] == 3


class Hostile:
    """Pickles as a call, which unpickling makes."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ('hostile', 'reason'),
    [
        (Hostile(os.mkdir, 'made-by-a-checkpoint'), 'posix.mkdir'),
        (Hostile(eval, '1'), 'eval'),
        (Hostile(getattr, HistoryBuffer, '__init__'), "asks for attribute '__init__'"),
        (Hostile(getattr, torch.Size, 'mean'), "asks for attribute 'mean'"),
    ],
    ids=['call', 'eval', 'other attribute', 'other class'],
)
def test_safe_loading__hostile_checkpoint__is_still_refused(
    tmp_path, monkeypatch, hostile, reason
):
    monkeypatch.chdir(tmp_path)
    compat.allow_mmengine_checkpoints()
    torch.save({'x': hostile}, 'hostile.pth')

    with pytest.raises(pickle.UnpicklingError, match=reason):
        torch.load('hostile.pth', weights_only=True)

    assert not (tmp_path / 'made-by-a-checkpoint').exists()


def test_format_configs_once__same_text__is_laid_out_once(monkeypatch):
    texts = []
    lay_out = mmengine_config.FormatCode
    lay_out = getattr(lay_out, '__wrapped__', lay_out)

    def counting(text, **options):
        texts.append(text)
        return lay_out(text, **options)

    monkeypatch.setattr(mmengine_config, 'FormatCode', counting)
    expected = Config({'a': 1}).pretty_text
    texts.clear()
    compat.format_configs_once()
    compat.format_configs_once()
    cfg = Config({'a': 1})

    assert cfg.pretty_text == cfg.pretty_text == expected
    assert len(texts) == 1

    cfg.a = 2

    assert cfg.pretty_text == 'a = 2\n'
    assert len(texts) == 2


@pytest.mark.parametrize(
    ('argv', 'orig_argv', 'expected'),
    [
        (['/x/bin/pe-mm', 'doctor'], ['python', '/x/bin/pe-mm', 'doctor'], True),
        (['/x/bin/pe-mm', 'doctor', '--json'], [], True),
        (['/x/bin/pe-mm', 'train', 'x.py'], [], True),
        (['/x/bin/pe-mm'], [], True),
        (['-m', 'doctor'], ['python', '-m', 'pe_mm', 'doctor'], True),
        (['-m', 'doctor'], ['python', '-m', 'other', 'doctor'], False),
        (['-m', 'train'], ['python', '-u', '-m', 'pe_mm', 'train'], True),
        (['/x/pe_mm/__main__.py', 'doctor'], [], True),
        (['-c', 'doctor'], ['python', '-c', '...', 'doctor'], False),
        ([''], ['python'], False),
    ],
)
def test_in_command_line__program__is_recognised(
    monkeypatch, argv, orig_argv, expected
):
    monkeypatch.setattr(sys, 'argv', argv)
    monkeypatch.setattr(sys, 'orig_argv', orig_argv)

    assert compat.in_command_line() is expected
