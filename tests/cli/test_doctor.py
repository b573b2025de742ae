"""Each check of the doctor, in stacks that are whole, old, half installed or mixed."""

import argparse
import importlib
import importlib.metadata
import json
import subprocess
import sys
import types

import pytest

from pe_mm.cli import doctor


@pytest.fixture
def stack(monkeypatch):
    """Pretend that just these distributions are installed, and what importing gives."""
    versions, modules = {}, {}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    def import_module(name):
        found = modules.get(name, types.ModuleType(name))
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(doctor.importlib.metadata, 'version', version)
    monkeypatch.setattr(doctor.importlib, 'import_module', import_module)
    return types.SimpleNamespace(versions=versions, modules=modules)


def test_run__this_environment__has_no_error(capsys):
    code = doctor.run(argparse.Namespace(json=False))

    text = capsys.readouterr().out
    assert code == 0, text
    assert 'with compiled operators' in text
    assert 'PerceptionEncoder is registered' in text
    assert 'errors: 0' in text


def test_run__an_error_row__is_code_1_and_names_the_fix(monkeypatch, capsys):
    rows = [doctor.Row('mmcv', 'error', 'not installed', 'make setup')]
    monkeypatch.setattr(doctor, 'examine', lambda: rows)

    assert doctor.run(argparse.Namespace(json=False)) == 1
    assert 'fix: make setup' in capsys.readouterr().out


def test_run__only_warnings__is_code_0(monkeypatch, capsys):
    rows = [doctor.Row('mmseg', 'warn', 'not installed', 'pip install ...')]
    monkeypatch.setattr(doctor, 'examine', lambda: rows)

    assert doctor.run(argparse.Namespace(json=False)) == 0
    assert 'errors: 0, warnings: 1' in capsys.readouterr().out


def test_run__json__prints_the_rows(monkeypatch, capsys):
    rows = [doctor.Row('gpu', 'ok', 'none')]
    monkeypatch.setattr(doctor, 'examine', lambda: rows)

    doctor.run(argparse.Namespace(json=True))

    assert json.loads(capsys.readouterr().out) == [
        {'name': 'gpu', 'status': 'ok', 'found': 'none', 'fix': ''}
    ]


def test_examine__a_check_fails_itself__is_an_error_row(monkeypatch):
    def check_gpu():
        raise RuntimeError('driver too old')

    monkeypatch.setattr(doctor, 'CHECKS', (check_gpu,))

    (row,) = doctor.examine()

    assert (row.name, row.status) == ('gpu', 'error')
    assert 'driver too old' in row.found


def test_check_torch__not_installed__is_an_error(stack):
    assert doctor.check_torch() == doctor.Row(
        'torch', 'error', 'not installed', "pip install 'torch>=2.6'"
    )


def test_check_torch__too_old__is_an_error(stack):
    stack.versions['torch'] = '2.5.1+cu121'

    assert doctor.check_torch().found == '2.5.1+cu121, older than 2.6'


def test_check_torch__import_fails__is_an_error(stack):
    stack.versions['torch'] = '2.13.0'
    stack.modules['torch'] = OSError('libcudart.so.13: cannot open')

    row = doctor.check_torch()

    assert row.status == 'error'
    assert 'import fails: OSError: libcudart.so.13' in row.found


@pytest.mark.parametrize(('has_ops', 'status'), [(True, 'ok'), (False, 'warn')])
def test_check_torchvision__operators__decide_the_status(stack, has_ops, status):
    stack.versions.update(torch='2.13.0+cpu', torchvision='0.28.0')
    extension = types.SimpleNamespace(_has_ops=lambda: has_ops)
    stack.modules['torchvision.extension'] = extension

    assert doctor.check_torchvision().status == status


def test_check_torchvision__import_fails__is_an_error(stack):
    stack.versions['torchvision'] = '0.28.0'
    stack.modules['torchvision'] = RuntimeError('operator torchvision::nms')

    assert doctor.check_torchvision().status == 'error'


def test_check_opencv__libgl_is_missing__names_the_system_packages(stack):
    stack.modules['cv2'] = ImportError('libGL.so.1: cannot open shared object file')

    row = doctor.check_opencv()

    assert row.status == 'error'
    assert 'apt-get install libgl1 libglib2.0-0' in row.fix


def test_check_mmengine__onedl_package__is_taken(stack):
    stack.versions['onedl-mmengine'] = '0.10.12'

    assert doctor.check_mmengine() == doctor.Row('mmengine', 'ok', '0.10.12')


def test_check_mmcv__lite_without_operators__is_an_error(stack, monkeypatch):
    def call_nms():
        raise ModuleNotFoundError("No module named 'mmcv._ext'")

    stack.versions['mmcv-lite'] = '2.1.0'
    monkeypatch.setattr(doctor, 'call_nms', call_nms)

    row = doctor.check_mmcv()

    assert row.status == 'error'
    assert (
        "its operators do not work: ModuleNotFoundError: No module named 'mmcv._ext'"
        in (row.found)
    )
    assert '--no-build-isolation' in row.fix


def test_check_mmcv__wrong_answer__is_an_error(stack, monkeypatch):
    stack.versions['mmcv'] = '2.1.0'
    monkeypatch.setattr(doctor, 'call_nms', lambda: [0, 1, 2])

    assert doctor.check_mmcv().found == (
        '2.1.0, nms kept boxes [0, 1, 2] instead of [1, 2]'
    )


@pytest.mark.parametrize('check', [doctor.check_mmdet, doctor.check_mmseg])
def test_check_mmdet_and_mmseg__not_installed__is_a_warning(stack, check):
    row = check()

    assert (row.status, row.found) == ('warn', 'not installed')
    assert row.fix.startswith('pip install mm')


def test_check_mmdet__refuses_its_mmcv__is_an_error(stack):
    stack.versions['mmdet'] = '3.3.0'
    stack.modules['mmdet'] = AssertionError('MMCV==2.2.0 is used but incompatible')

    row = doctor.check_mmdet()

    assert row.status == 'error'
    assert 'MMCV==2.2.0 is used but incompatible' in row.found


@pytest.mark.parametrize(
    ('versions', 'status'),
    [
        ({'mmengine': '0.10.7', 'setuptools': '81.0.0'}, 'ok'),
        ({'mmengine': '0.10.7', 'setuptools': '84.2.1'}, 'error'),
        ({'mmengine': '0.10.7'}, 'error'),
        ({'onedl-mmengine': '0.10.12', 'setuptools': '84.2.1'}, 'ok'),
    ],
)
def test_check_setuptools__mmengine_needs_pkg_resources__decides(
    stack, versions, status
):
    stack.versions.update(versions)

    row = doctor.check_setuptools()

    assert row.status == status
    assert row.fix == ("pip install 'setuptools<82'" if status == 'error' else '')


@pytest.mark.parametrize(
    ('names', 'found'),
    [
        (['mmengine', 'mmcv', 'mmdet'], 'upstream'),
        (['onedl-mmengine', 'onedl-mmcv'], 'onedl'),
    ],
)
def test_check_stack__one_stack__is_ok(stack, names, found):
    stack.versions.update(dict.fromkeys(names, '1'))

    assert doctor.check_stack() == doctor.Row('stack', 'ok', found)


def test_check_stack__both_stacks__gives_the_uninstall_command(stack):
    stack.versions.update(
        {'mmengine': '0.10.7', 'mmcv': '2.1.0', 'onedl-mmcv': '2.3.6'}
    )

    row = doctor.check_stack()

    assert row.status == 'error'
    assert row.fix.startswith('pip uninstall -y mmengine mmcv onedl-mmcv && ')


def test_check_stack__mmcv_and_mmcv_lite__gives_the_uninstall_command(stack):
    stack.versions.update({'mmcv': '2.1.0', 'mmcv-lite': '2.1.0'})

    assert doctor.check_stack().fix.startswith('pip uninstall -y mmcv-lite mmcv && ')


def test_check_python__too_new__warns(monkeypatch):
    monkeypatch.setattr(doctor.sys, 'version_info', (3, 14, 0))

    assert doctor.check_python().status == 'warn'


@pytest.mark.parametrize(
    ('version', 'numbers'),
    [('2.13.0+cpu', (2, 13, 0)), ('1.0.31.dev0', (1, 0, 31)), ('82', (82,))],
)
def test_release__version__is_cut_to_its_numbers(version, numbers):
    assert doctor.release(version) == numbers


def test_describe__long_error__is_cut():
    assert len(doctor.describe(ValueError('x' * 500))) == 200


# Hides packages from a fresh process, as if they had never been installed.
HIDE = """
import sys
hidden = set(sys.argv.pop(1).split(','))
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in hidden:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Hide())
import importlib.metadata
real = importlib.metadata.version
def version(name):
    if name in hidden:
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)
importlib.metadata.version = version
sys.argv = ['pe-mm', *sys.argv[1:]]
from pe_mm.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize('hidden', ['torch', 'mmcv,mmdet'])
def test_doctor__package_is_not_there__still_runs_and_names_it(hidden):
    done = subprocess.run(
        [sys.executable, '-c', HIDE, hidden, 'doctor', '--json'],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1, done.stderr
    status = {row['name']: row['status'] for row in json.loads(done.stdout)}
    expected = {'mmdet': 'warn'}
    for name in hidden.split(','):
        assert status[name] == expected.get(name, 'error')


def test_other_command__package_is_not_there__names_it_in_one_line():
    done = subprocess.run(
        [sys.executable, '-c', HIDE, 'timm', 'train', 'config.py'],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert done.stderr == (
        "pe-mm: error: pe_mm cannot load what it stands on: No module named 'timm'; "
        '`pe-mm doctor` says what is missing and how to mend it\n'
    )


def test_check_lvis__absent__is_fine(stack):
    row = doctor.check_lvis()

    assert (row.status, row.fix) == ('ok', '')
    assert 'not installed' in row.found


def test_check_lvis__cannot_evaluate__warns_with_the_command(stack, monkeypatch):
    from pe_mm.detection import lvis_metric

    def fail():
        raise ImportError('lvis 0.5.3 does not run with numpy 2.4.6. Install it')

    stack.versions['lvis'] = '0.5.3'
    monkeypatch.setattr(lvis_metric, 'check_lvis', fail)
    row = doctor.check_lvis()

    assert row.status == 'warn'
    assert row.found.endswith(
        'cannot evaluate it: lvis 0.5.3 does not run with numpy 2.4.6'
    )
    assert row.fix == lvis_metric.INSTALL_LVIS


def test_check_lvis__evaluates__is_ok(stack, monkeypatch):
    from pe_mm.detection import lvis_metric

    stack.versions['lvis'] = '0.5.3'
    monkeypatch.setattr(lvis_metric, 'check_lvis', lambda: None)

    assert doctor.check_lvis() == doctor.Row('lvis', 'ok', '0.5.3')
