"""The decisions of the set-up script, without installing anything."""

import json
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize('version', [(3, 10, 4), (3, 11, 2), (3, 12, 0)])
def test_python_problem__fitting_version__is_none(env, version):
    assert env.python_problem(version) is None


@pytest.mark.parametrize('version', [(3, 9, 18), (3, 13, 1)])
def test_python_problem__other_version__names_it_and_the_packages(env, version):
    problem = env.python_problem(version)

    assert problem.startswith(f'Python 3.{version[1]} does not do')
    assert 'apt-get install python3.11 python3.11-venv python3.11-dev' in problem


def test_find_python__this_one_is_too_new__takes_another_of_the_path(env, monkeypatch):
    monkeypatch.setattr(env.sys, 'version_info', (3, 13, 0))
    monkeypatch.setattr(
        env.shutil, 'which', lambda name: f'/b/{name}' if name == 'python3.12' else None
    )

    assert env.find_python() == Path('/b/python3.12')


def test_find_python__none_fits__raises(env, monkeypatch):
    monkeypatch.setattr(env.sys, 'version_info', (3, 13, 0))
    monkeypatch.setattr(env.shutil, 'which', lambda name: None)

    with pytest.raises(env.SetupError, match=r'Python 3\.13 does not do'):
        env.find_python()


def test_check_disk__too_little__raises_with_the_need(env):
    with pytest.raises(env.SetupError, match=r'1\.0 GB are free .* needs 3 GB'):
        env.check_disk(env.GIB)


def test_check_disk__enough_for_a_cpu_build_only__warns(env, capsys):
    env.check_disk(4 * env.GIB)
    assert 'a CUDA build of torch will not fit' in capsys.readouterr().out
    env.check_disk(20 * env.GIB)
    assert capsys.readouterr().out == ''


def good_versions(env):
    tools = dict.fromkeys(('wheel', 'ninja', 'packaging', 'psutil'), '1')
    return {**env.PINNED, **tools, 'torch': '2.13.0+cpu', 'setuptools': '81.0.0'}


def test_environment_problems__in_order__is_empty(env):
    assert env.environment_problems(good_versions(env), env.ROOT.as_uri()) == []


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        ({'torch': '2.12.1+cpu'}, 'torch is 2.12.1+cpu, not 2.13.0'),
        ({'setuptools': '84.2.1'}, 'setuptools is 84.2.1, not >= 77.0.3 and < 82'),
        ({'mmdet': None}, 'mmdet 3.3.0 is missing'),
        ({'ninja': None}, 'ninja is missing'),
    ],
)
def test_environment_problems__one_thing_wrong__is_named(env, change, problem):
    versions = {**good_versions(env), **change}
    versions = {name: version for name, version in versions.items() if version}

    assert env.environment_problems(versions, env.ROOT.as_uri()) == [problem]


def test_environment_problems__package_of_another_folder__is_named(env):
    problems = env.environment_problems(good_versions(env), 'file:///elsewhere')

    assert problems == [f'pe_mm is not installed from {env.ROOT}']


@pytest.fixture
def small_root(env, monkeypatch, tmp_path):
    """A root with the stamped files and an environment in order."""
    for name in env.STAMPED_FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    monkeypatch.setattr(env, 'ROOT', tmp_path)
    monkeypatch.setattr(env, 'STAMP', tmp_path / 'stamp.json')
    found = good_versions(env), tmp_path.as_uri()
    monkeypatch.setattr(env, 'installed', lambda: found)
    return tmp_path


def write_stamp(env):
    env.STAMP.write_text(json.dumps({'key': env.stamp_key()}))


def test_is_finished__stamp_of_these_files__is_true(env, small_root):
    write_stamp(env)

    assert env.is_finished()


def test_is_finished__no_stamp_or_a_torn_one__is_false(env, small_root):
    assert not env.is_finished()
    env.STAMP.write_text('{"ke')
    assert not env.is_finished()


def test_is_finished__a_file_was_edited__is_false(env, small_root):
    write_stamp(env)
    (small_root / 'setup.cfg').write_text('edited')

    assert not env.is_finished()


def test_is_finished__environment_was_changed__is_false(env, small_root, monkeypatch):
    write_stamp(env)
    changed = {**good_versions(env), 'setuptools': '84.2.1'}, small_root.as_uri()
    monkeypatch.setattr(env, 'installed', lambda: changed)

    assert not env.is_finished()


def test_drop_half_installed__no_record__is_removed(env, monkeypatch, tmp_path):
    monkeypatch.setattr(env, 'VENV', tmp_path)
    packages = tmp_path / 'lib' / 'python3.11' / 'site-packages'
    for name in ('torch-2.13.0.dist-info', 'timm-1.0.31.dist-info'):
        (packages / name).mkdir(parents=True)
    (packages / 'timm-1.0.31.dist-info' / 'RECORD').touch()

    env.drop_half_installed()

    assert [path.name for path in packages.iterdir()] == ['timm-1.0.31.dist-info']


def test_install_runtime__libgl_is_missing__takes_the_headless_build(
    env, monkeypatch, capsys
):
    calls = []
    answers = iter([(1, 'ImportError: libGL.so.1: cannot open'), (0, '')])

    def ask(*command):
        code, text = next(answers)
        return subprocess.CompletedProcess(command, code, '', text)

    monkeypatch.setattr(env, 'ask', ask)
    monkeypatch.setattr(env, 'pip_install', lambda *arguments: calls.append(arguments))

    env.install_runtime()

    assert calls[-1][-1] == 'opencv-python-headless'
    assert 'libGL.so.1' in capsys.readouterr().out


def test_add_pip__no_ensurepip__says_the_package(env, monkeypatch):
    def ask(*command):
        asks_version = 'sys.version_info' in str(command[-1])
        return subprocess.CompletedProcess(
            command, 0 if asks_version else 1, '3.11\n' if asks_version else '', ''
        )

    monkeypatch.setattr(env, 'ask', ask)

    with pytest.raises(env.SetupError, match='apt-get install python3.11-venv'):
        env.add_pip()


def test_setup_env__pins__equal_the_constraints_and_setup_cfg(env):
    root = env.ROOT
    constraints = (root / 'tools' / 'constraints.txt').read_text().splitlines()
    extras = (root / 'setup.cfg').read_text()

    for name, version in env.PINNED.items():
        assert f'{name}=={version}' in constraints
    for name in ('mmcv', 'mmdet', 'mmsegmentation'):
        assert f'{name}=={env.PINNED[name]}' in extras
