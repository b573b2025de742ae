"""Which mmcv is taken: the installed one, a cached wheel, or a build."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_cache_folder__xdg_cache_home__is_followed(mmcv):
    folder = mmcv.cache_folder({'XDG_CACHE_HOME': '/c'}, 'torch2.13.0+cpu-cp311')

    assert folder == Path('/c/pe_mm/wheels/torch2.13.0+cpu-cp311')
    assert mmcv.cache_folder({}, 'k') == Path.home() / '.cache/pe_mm/wheels/k'


def test_candidate_wheels__several__ours_newest_first_then_pips(mmcv, tmp_path):
    names = ['mmcv-2.1.0-cp311-cp311-linux_x86_64.whl', 'mmcv-2.1.0-cp311-new.whl']
    for age, name in zip((100, 0), names, strict=True):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    (tmp_path / 'mmcv-2.1.0-cp311-torn.whl.part7').touch()
    (tmp_path / 'mmcv-2.1.0-cp310-cp310-linux_x86_64.whl').touch()
    listing = (
        '/pip/mmcv-2.1.0-cp311-cp311-linux_x86_64.whl\n'
        '/pip/mmcv-2.2.0-cp311-cp311-linux_x86_64.whl\n'
        '/pip/mmcv-2.1.0-py2.py3-none-any.whl\n'
        '/pip/mmcv_lite-2.1.0-cp311-x.whl\n'
    )

    assert mmcv.candidate_wheels(tmp_path, listing, 'cp311') == [
        tmp_path / names[1],
        tmp_path / names[0],
        Path('/pip/mmcv-2.1.0-cp311-cp311-linux_x86_64.whl'),
    ]


@pytest.mark.parametrize(
    ('environment', 'has_cuda', 'nvcc', 'expected'),
    [
        ({}, True, '/usr/bin/nvcc', True),
        ({}, True, None, False),
        ({}, False, '/usr/bin/nvcc', False),
        ({'FORCE_CUDA': '1'}, False, None, True),
        ({'FORCE_CUDA': '0'}, True, '/usr/bin/nvcc', False),
    ],
)
def test_wants_cuda__torch_nvcc_and_force__decide(
    mmcv, monkeypatch, environment, has_cuda, nvcc, expected
):
    monkeypatch.setattr(mmcv.shutil, 'which', lambda name: nvcc)

    assert mmcv.wants_cuda(environment, torch_has_cuda=has_cuda) is expected


def test_compiler_problem__no_compiler__says_the_package(mmcv, monkeypatch):
    monkeypatch.setattr(mmcv.shutil, 'which', lambda name: None)

    assert 'apt-get install g++' in mmcv.compiler_problem(Path(sys.executable))


def test_compiler_problem__no_headers__says_the_package(mmcv, monkeypatch, tmp_path):
    monkeypatch.setattr(mmcv.shutil, 'which', lambda name: '/usr/bin/c++')
    answer = subprocess.CompletedProcess([], 0, f'{tmp_path}\n3.11\n', '')
    monkeypatch.setattr(mmcv, 'ask', lambda *command: answer)

    problem = mmcv.compiler_problem(Path('python'))

    assert f'{tmp_path}/Python.h is missing' in problem
    assert 'apt-get install python3.11-dev' in problem


class Installer:
    """An MmcvInstaller whose commands are recorded, without a venv."""

    def __init__(self, mmcv, monkeypatch, tmp_path, *, problems, wheels):
        self.installed = []
        self.built = []
        problems = iter(problems)
        described = 'torch2.13.0+cpu-cp311\n\n'

        def ask(*command):
            text = described if command[-1] == mmcv.DESCRIBE_TORCH else ''
            missing = command[-1] == 'import mmcv' and not wheels.get('installed')
            return subprocess.CompletedProcess(command, int(missing), text, '')

        def run_logged(command, log, progress):
            self.installed.append(Path(command[-1]).name)

        monkeypatch.setattr(mmcv, 'ask', ask)
        monkeypatch.setattr(mmcv, 'run_logged', run_logged)
        monkeypatch.setattr(mmcv, 'ops_problem', lambda python: next(problems))
        monkeypatch.setattr(
            mmcv, 'candidate_wheels', lambda *_: [Path(w) for w in wheels['cached']]
        )
        self.real = mmcv.MmcvInstaller(Path('python'), tmp_path, Path('constraints'))
        monkeypatch.setattr(self.real, '_build', self.build)
        (tmp_path / self.real.key).mkdir()

    def build(self):
        self.built.append(True)
        return Path('built.whl')


def test_mmcv__installed_and_working__nothing_is_done(mmcv, monkeypatch, tmp_path):
    wheels = {'installed': True, 'cached': ['a.whl']}
    fake = Installer(mmcv, monkeypatch, tmp_path, problems=[None], wheels=wheels)

    fake.real.run()

    assert (fake.installed, fake.built) == ([], [])


def test_mmcv__first_cached_wheel_is_bad__second_is_taken(
    mmcv, monkeypatch, tmp_path, capsys
):
    fake = Installer(
        mmcv,
        monkeypatch,
        tmp_path,
        problems=['undefined symbol', None],
        wheels={'cached': ['a.whl', 'b.whl']},
    )

    fake.real.run()

    assert fake.installed == ['a.whl', 'a.whl', 'b.whl', 'b.whl']
    assert fake.built == []
    assert 'its operators do not work here: undefined symbol' in capsys.readouterr().out


def test_mmcv__installed_without_operators_and_no_wheel__is_built(
    mmcv, monkeypatch, tmp_path
):
    fake = Installer(
        mmcv,
        monkeypatch,
        tmp_path,
        problems=["No module named 'mmcv._ext'", None],
        wheels={'installed': True, 'cached': []},
    )

    fake.real.run()

    assert fake.built == [True]
    assert fake.installed[-1] == 'built.whl'
