#!/usr/bin/env python3
"""Make `.venv` with torch, mmcv with its operators, mmdet, mmseg and pe_mm.

    python3 tools/setup_env.py            or  make setup

Needs Python 3.10 to 3.12, a C++ compiler and the network; uses the standard library
alone. Every step looks first whether its result is already there, so a finished set-up
takes a second and an interrupted one goes on where it stopped, the build of mmcv too.

Environment:
    XDG_CACHE_HOME  folder of the wheel cache (default ~/.cache); wheels of mmcv that
                    were built once are taken from <cache>/pe_mm/wheels.
    MAX_JOBS        compilers at a time (default: one per core).
    FORCE_CUDA      1 or 0: build mmcv's operators for CUDA or not (default: where torch
                    has CUDA and nvcc is on the PATH).
    CFLAGS          compiler options for mmcv (default -O2 -g0).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from setup_mmcv import MMCV_VERSION, MmcvInstaller
from setup_process import Progress, SetupError, ask, clock, run_logged, say

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'setup-finished.json'
CONSTRAINTS = ROOT / 'tools' / 'constraints.txt'
# What the stamp depends on: an edit to any of them runs every step again.
STAMPED_FILES = (
    'setup.cfg',
    'pyproject.toml',
    'tools/constraints.txt',
    'tools/setup_env.py',
    'tools/setup_mmcv.py',
)

PYTHONS = ((3, 11), (3, 12), (3, 10))  # in the order of preference
# Pins by pip's normalised names; checked on every run.
TORCH = {'torch': '2.13.0', 'torchvision': '0.28.0'}
PINNED = {
    **TORCH,
    'mmengine': '0.10.7',
    'mmcv': MMCV_VERSION,
    'mmdet': '3.3.0',
    'mmsegmentation': '1.2.2',
}
BUILD_TOOLS = ('setuptools<82', 'wheel', 'ninja', 'packaging', 'psutil')

GIB = 1024**3
NEEDED_DISK, WANTED_DISK = 3 * GIB, 6 * GIB

LIST_INSTALLED = """
import importlib.metadata as metadata, json, re
names = {}
for found in metadata.distributions():
    name = re.sub('[-_.]+', '-', found.metadata['Name'] or '').lower()
    names.setdefault(name, found.version)
try:
    origin = metadata.distribution('pe_mm').read_text('direct_url.json')
    origin = json.loads(origin)['url']
except (metadata.PackageNotFoundError, TypeError, KeyError):
    origin = None
print(json.dumps({'versions': names, 'pe_mm': origin}))
"""


# --- checks -------------------------------------------------------------------------


def python_problem(version: Sequence[int]) -> str | None:
    """Say what is wrong with a Python version, or None."""
    if tuple(version[:2]) in PYTHONS:
        return None
    number = '.'.join(map(str, version[:2]))
    return (
        f'Python {number} does not do: torch 2.13 needs 3.10 or newer and mmcv 2.1.0 '
        'does not build on 3.13 or newer. Install Python 3.11 (`sudo apt-get install '
        'python3.11 python3.11-venv python3.11-dev`) and run this again.'
    )


def find_python() -> Path:
    """Return a fitting Python: this one, or else python3.11, 3.12 or 3.10 of the PATH.

    Raises:
        SetupError: There is none.
    """
    problem = python_problem(sys.version_info[:2])
    if problem is None:
        return Path(sys.executable)
    for major, minor in PYTHONS:
        found = shutil.which(f'python{major}.{minor}')
        if found:
            return Path(found)
    raise SetupError(problem)


def check_disk(free: int) -> None:
    """Raise SetupError where the disk is too small for torch; warn where it may be."""
    if free < NEEDED_DISK:
        raise SetupError(
            f'{free / GIB:.1f} GB are free in {ROOT}; set-up needs 3 GB with a CPU '
            'build of torch and 6 GB with a CUDA build. Free some and run this again.'
        )
    if free < WANTED_DISK:
        say(f'  only {free / GIB:.1f} GB are free: a CUDA build of torch will not fit')


def installed() -> tuple[dict[str, str], str | None]:
    """Return the versions in the venv by name, and where pe_mm was installed from."""
    answer = ask(PYTHON, '-c', LIST_INSTALLED)
    if answer.returncode != 0:
        return {}, None
    found = json.loads(answer.stdout)
    return found['versions'], found['pe_mm']


def wrong_versions(versions: dict[str, str], pins: dict[str, str]) -> list[str]:
    """Name what is missing or has another version; local parts (+cpu) do not count."""
    wrong = []
    for name, wanted in pins.items():
        found = versions.get(name)
        if found is None:
            wrong.append(f'{name} {wanted} is missing')
        elif found.partition('+')[0] != wanted:
            wrong.append(f'{name} is {found}, not {wanted}')
    return wrong


def wrong_build_tools(versions: dict[str, str]) -> list[str]:
    """Name the build tools that are missing, and a setuptools outside its bounds."""
    names = [re.split('[<>=]', tool)[0] for tool in BUILD_TOOLS]
    wrong = [f'{name} is missing' for name in names if name not in versions]
    setuptools = versions.get('setuptools', '')
    if setuptools and not 77 <= int(setuptools.partition('.')[0]) < 82:
        wrong.append(f'setuptools is {setuptools}, not >= 77.0.3 and < 82')
    return wrong


def environment_problems(versions: dict[str, str], origin: str | None) -> list[str]:
    """Name what a finished environment lacks; quick, nothing heavy is imported."""
    problems = wrong_versions(versions, PINNED) + wrong_build_tools(versions)
    if origin != ROOT.as_uri():
        problems.append(f'pe_mm is not installed from {ROOT}')
    return problems


def stamp_key() -> str:
    """Hash what the finished environment depends on."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in STAMPED_FILES:
        digest.update(b'\0' + name.encode() + b'\0' + (ROOT / name).read_bytes())
    return digest.hexdigest()


def is_finished() -> bool:
    """Tell whether a set-up of just these files is finished and still in order."""
    try:
        key = json.loads(STAMP.read_text())['key']
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return key == stamp_key() and not environment_problems(*installed())


# --- steps --------------------------------------------------------------------------


def pip_install(title: str, log: str, *arguments: str) -> None:
    """Install with pip under the constraints."""
    run_logged(
        [str(PYTHON), '-m', 'pip', 'install', '-c', str(CONSTRAINTS), *arguments],
        VENV / 'logs' / f'{log}.log',
        Progress(title),
    )


def make_venv() -> None:
    """Make `.venv`, or mend it: without pip, moved, or of another Python."""
    code = 'import sys; print(*sys.version_info[:2]); print(sys.prefix)'
    answer = ask(PYTHON, '-c', code)
    if answer.returncode == 0:
        version, prefix = answer.stdout.splitlines()
        problem = python_problem([int(part) for part in version.split()])
        if problem is None and Path(prefix) == VENV:
            if ask(PYTHON, '-m', 'pip', '--version').returncode != 0:
                say('  .venv has no pip yet: adding it')
                add_pip()
            drop_half_installed()
            return
    clear = VENV.exists()
    if clear:
        say('  .venv does not run (moved, or its Python is gone): making it anew')
    python = find_python()
    say(f'  making .venv with {python}')
    answer = ask(python, '-m', 'venv', '--without-pip', *['--clear'] * clear, VENV)
    if answer.returncode != 0:
        raise SetupError(f'{python} -m venv failed:\n{answer.stdout}{answer.stderr}')
    add_pip()


def add_pip() -> None:
    """Put the pip that comes with Python into the venv."""
    if ask(PYTHON, '-c', 'import ensurepip').returncode != 0:
        version = ask(PYTHON, '-c', 'import sys; print("%d.%d" % sys.version_info[:2])')
        raise SetupError(
            'this Python has no ensurepip, which Debian ships apart. Install it (`sudo '
            f'apt-get install python{version.stdout.strip()}-venv`) and run this again.'
        )
    answer = ask(PYTHON, '-m', 'ensurepip', '--upgrade', '--default-pip')
    if answer.returncode != 0:
        raise SetupError(f'ensurepip failed:\n{answer.stdout}{answer.stderr}')


def drop_half_installed() -> None:
    """Forget the packages that a killed pip left half installed.

    pip writes RECORD last; without it, it can neither use nor remove a package.
    """
    for info in VENV.glob('lib/python*/site-packages/*.dist-info'):
        if not (info / 'RECORD').is_file():
            say(f'  {info.name} is only half installed: it will be installed again')
            shutil.rmtree(info)


def install_torch() -> None:
    """Install torch and torchvision, or put the right versions in place of others."""
    versions, _ = installed()
    wrong = wrong_versions(versions, TORCH) + wrong_build_tools(versions)
    if not wrong:
        say(f'  torch {versions["torch"]} is installed')
        return
    if 'torch' in versions:
        say(f'  {"; ".join(wrong)}: mending that')
    else:
        check_disk(shutil.disk_usage(ROOT).free)
    pins = [f'{name}=={version}' for name, version in TORCH.items()]
    pip_install('installing torch', 'torch', *BUILD_TOOLS, *pins)


def install_runtime() -> None:
    """Install what mmcv needs to be imported, and make sure that OpenCV loads."""
    pip_install('installing mmengine', 'mmengine', 'mmengine', 'opencv-python')
    answer = ask(PYTHON, '-c', 'import cv2')
    if answer.returncode == 0:
        return
    reason = answer.stderr.strip().splitlines()[-1]
    say(f'  OpenCV does not load: {reason}')
    say('  putting its build without windows (opencv-python-headless) in its place')
    # Over the same folder: opencv-python's metadata stays, which mmengine asks for.
    pip_install(
        'installing opencv-python-headless',
        'opencv',
        *('--no-deps', '--force-reinstall', 'opencv-python-headless'),
    )
    answer = ask(PYTHON, '-c', 'import cv2')
    if answer.returncode != 0:
        raise SetupError(
            f'OpenCV does not load:\n{answer.stderr}\nInstall the system libraries it '
            'asks for: `sudo apt-get install libgl1 libglib2.0-0`.'
        )


def install_package() -> None:
    """Install pe_mm in editable mode with the mm, train and dev extras."""
    pip_install(
        'installing mmdet, mmseg and pe_mm',
        'pe_mm',
        *('--no-build-isolation', '-e', f'{ROOT}[mm,train,dev]'),
    )


def examine() -> None:
    """Let `pe-mm doctor` look at the result."""
    problems = environment_problems(*installed())
    if problems:
        raise SetupError(
            'the environment is not as it should be: ' + '; '.join(problems)
        )
    answer = ask(PYTHON, '-m', 'pe_mm', 'doctor')
    if answer.returncode != 0:
        raise SetupError(f'`pe-mm doctor` found:\n{answer.stdout}{answer.stderr}')


STEPS = (
    ('virtual environment', make_venv),
    ('torch and build tools', install_torch),
    ('mmengine and OpenCV', install_runtime),
    (
        'mmcv with operators',
        lambda: MmcvInstaller(PYTHON, VENV / 'build', CONSTRAINTS).run(),
    ),
    ('mmdet, mmseg, pe_mm', install_package),
    ('a last look', examine),
)


def wait_for_others() -> None:
    """Let one set-up at a time work in this folder.

    The lock is inherited by what is started, so that a build left over by a killed
    set-up is waited for and not disturbed. It ends with the last process.
    """
    lock = os.open(ROOT, os.O_RDONLY)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say('another set-up, or a build that it left running, is at work here: waiting')
        fcntl.flock(lock, fcntl.LOCK_EX)


def interrupt(number: int, frame: object) -> None:
    """Treat a request to end like Ctrl-C."""
    raise KeyboardInterrupt


def main() -> int:
    """Run every step; returns the exit code."""
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    start = time.monotonic()
    try:
        wait_for_others()
        if is_finished():
            say(f'{VENV} is ready')
            return 0
        STAMP.unlink(missing_ok=True)
        for number, (title, step) in enumerate(STEPS, start=1):
            say(f'[{number}/{len(STEPS)}] {title}')
            step()
        STAMP.write_text(json.dumps({'key': stamp_key()}) + '\n')
    except SetupError as error:
        say(f'error: {error}')
        return 1
    except KeyboardInterrupt:
        say('interrupted; run it again to go on from here')
        return 130
    say(f'finished in {clock(time.monotonic() - start)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
