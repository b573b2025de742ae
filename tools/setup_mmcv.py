"""Get mmcv with its compiled operators: from the venv, a cached wheel, or a build.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import time
from pathlib import Path

from setup_process import (
    Progress,
    SetupError,
    ask,
    clean_environment,
    run_logged,
    say,
)

MMCV_VERSION = '2.1.0'

# A real call: a wheel built for another torch installs well and fails only here.
CHECK_OPS = """
import torch
from mmcv.ops import nms
boxes = torch.tensor([[0., 0., 9., 9.], [0., 0., 9., 8.], [20., 20., 29., 29.]])
kept = nms(boxes, torch.tensor([.5, .9, .7]), iou_threshold=.5)[1].tolist()
raise SystemExit(0 if kept == [1, 2] else f'nms kept {kept} instead of [1, 2]')
"""

DESCRIBE_TORCH = """
import sys, torch
print(f'torch{torch.__version__}-cp{sys.version_info[0]}{sys.version_info[1]}')
print(torch.version.cuda or torch.version.hip or '')
"""


def cache_folder(environment: dict[str, str], key: str) -> Path:
    """Return the folder of the wheels that fit one torch and Python."""
    base = environment.get('XDG_CACHE_HOME') or str(Path.home() / '.cache')
    return Path(base) / 'pe_mm' / 'wheels' / key


def wants_cuda(environment: dict[str, str], *, torch_has_cuda: bool) -> bool:
    """Decide whether the operators are built for CUDA; FORCE_CUDA overrules."""
    forced = environment.get('FORCE_CUDA')
    if forced in {'0', '1'}:
        return forced == '1'
    return torch_has_cuda and shutil.which('nvcc') is not None


def listed_wheels(listing: str, python_tag: str) -> list[Path]:
    """Pick the fitting wheels from `pip cache list --format abspath`.

    pip keys its cache by source and not by torch: each is only a candidate.
    """
    name = re.compile(rf'mmcv-{re.escape(MMCV_VERSION)}-{python_tag}-.*\.whl$')
    paths = [Path(line.strip()) for line in listing.splitlines() if line.strip()]
    return [path for path in paths if name.match(path.name)]


def candidate_wheels(cache: Path, listing: str, python_tag: str) -> list[Path]:
    """List the wheels to try before a build: ours, the newest first, then pip's."""
    ours = sorted(
        cache.glob(f'mmcv-{MMCV_VERSION}-{python_tag}-*.whl'),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    return ours + listed_wheels(listing, python_tag)


def ops_problem(python: Path) -> str | None:
    """Call an operator in a fresh process; say what is wrong, or None."""
    answer = ask(python, '-c', CHECK_OPS)
    if answer.returncode == 0:
        return None
    lines = answer.stderr.strip().splitlines()
    return lines[-1] if lines else f'Python ended with code {answer.returncode}'


def compiler_problem(python: Path) -> str | None:
    """Say what is missing for building mmcv, or None."""
    compiler = os.environ.get('CXX', 'c++').split()[0]
    if shutil.which(compiler) is None:
        return (
            f'mmcv has to be compiled and there is no C++ compiler ({compiler}). '
            'Install one (`sudo apt-get install g++`) and run this again.'
        )
    code = (
        'import sys, sysconfig; print(sysconfig.get_paths()["include"]); '
        'print("%d.%d" % sys.version_info[:2])'
    )
    headers, version = ask(python, '-c', code).stdout.split('\n')[:2]
    if not (Path(headers) / 'Python.h').is_file():
        return (
            f'mmcv has to be compiled and {headers}/Python.h is missing. Install the '
            f'headers (`sudo apt-get install python{version}-dev`) and run this again.'
        )
    return None


class MmcvInstaller:
    """Install mmcv into one venv.

    `folder` holds the logs and, for a build, the sources with ninja's object files: a
    build that was interrupted goes on from them.
    """

    def __init__(self, python: Path, folder: Path, constraints: Path) -> None:
        self.python = python
        self.folder = folder
        self.constraints = constraints
        described, cuda = (ask(python, '-c', DESCRIBE_TORCH).stdout + '\n').split('\n')[
            :2
        ]
        self.cuda = wants_cuda(dict(os.environ), torch_has_cuda=bool(cuda))
        self.key = described + ('-cuda' if self.cuda else '')
        self.python_tag = described.rpartition('-')[2]
        self.cache = cache_folder(dict(os.environ), self.key)

    def run(self) -> None:
        """Install mmcv, by the quickest way that gives working operators.

        Raises:
            SetupError: A tool for the build is missing, or the build failed.
        """
        if ask(self.python, '-c', 'import mmcv').returncode == 0:
            problem = ops_problem(self.python)
            if problem is None:
                say('  mmcv with working operators is installed')
                return
            say(f'  the installed mmcv does not do: {problem}')
        listing = ask(
            self.python, '-m', 'pip', 'cache', 'list', 'mmcv', '--format', 'abspath'
        )
        for wheel in candidate_wheels(self.cache, listing.stdout, self.python_tag):
            if self._install(wheel):
                return
        wheel = self._build()
        if not self._install(wheel):
            wheel.unlink()
            raise SetupError(
                f'mmcv was built, but its operators do not work; the log of the build: '
                f'{self.folder / "build.log"}'
            )
        shutil.rmtree(self.folder / self.key)

    def _install(self, wheel: Path) -> bool:
        """Install one wheel and call an operator; take it out again if that fails."""
        say(f'  trying {wheel}')
        pip = [str(self.python), '-m', 'pip']
        log = self.folder / 'install.log'
        try:
            run_logged(
                [*pip, 'install', '--force-reinstall', '--no-deps', str(wheel)],
                log,
                Progress('installing mmcv'),
            )
            # A second call for what it needs, so that only mmcv itself is reinstalled.
            run_logged(
                [*pip, 'install', '-c', str(self.constraints), str(wheel)],
                log,
                Progress('installing what mmcv needs'),
            )
        except SetupError as error:
            say(f'  skipped: {error}')
            return False
        problem = ops_problem(self.python)
        if problem is not None:
            say(f'  skipped, its operators do not work here: {problem}')
            ask(*pip, 'uninstall', '--yes', 'mmcv')
        return problem is None

    def _build(self) -> Path:
        """Compile mmcv; returns its wheel, in the cache."""
        problem = compiler_problem(self.python)
        if problem is not None:
            raise SetupError(problem)
        source = self._unpacked_source()
        jobs = os.environ.get('MAX_JOBS') or str(len(os.sched_getaffinity(0)))
        compiled = len(list(source.glob('build/temp*/**/*.o')))
        target = 'CPU and CUDA' if self.cuda else 'the CPU'
        say(f'  there is no wheel of mmcv {MMCV_VERSION} for {self.key}: compiling it')
        say(f'  for {target}, {jobs} files at a time; 8 to 15 minutes on 2 cores, once')
        say(f'  the wheel will be kept in {self.cache}')
        say(f'  the log of the build: {self.folder / "build.log"}')
        if compiled:
            say(
                f'  {compiled} files are compiled already, the build goes on from there'
            )
        environment = clean_environment(
            MMCV_WITH_OPS='1', MAX_JOBS=jobs, FORCE_CUDA='1' if self.cuda else '0'
        )
        environment.setdefault('CFLAGS', '-O2 -g0')
        # mmcv would choose CUDA wherever torch sees a GPU, even without nvcc.
        if not self.cuda:
            environment['CUDA_VISIBLE_DEVICES'] = ''
        made = self.folder / 'made'
        shutil.rmtree(made, ignore_errors=True)
        run_logged(
            [str(self.python), '-m', 'pip', 'wheel', '-v', '--no-build-isolation']
            + ['--no-deps', '-w', str(made), '.'],
            self.folder / 'build.log',
            Progress('building mmcv', done_before=compiled),
            cwd=source,
            env=environment,
        )
        return self._keep(next(made.glob('mmcv-*.whl')))

    def _keep(self, wheel: Path) -> Path:
        """Put a wheel into the cache in one step: no half file ever lies there."""
        self.cache.mkdir(parents=True, exist_ok=True)
        part = self.cache / f'{wheel.name}.part{os.getpid()}'
        shutil.copyfile(wheel, part)
        return part.replace(self.cache / wheel.name)

    def _unpacked_source(self) -> Path:
        """Return mmcv's source folder for this torch; fetch it where it is missing."""
        name = f'mmcv-{MMCV_VERSION}'
        folder = self.folder / self.key
        if (folder / name).is_dir():
            return folder / name
        download = [str(self.python), '-m', 'pip', 'download', '--no-build-isolation']
        run_logged(
            [*download, '--no-deps', '--no-binary', 'mmcv', '-d', str(folder)]
            + [f'mmcv=={MMCV_VERSION}'],
            self.folder / 'download.log',
            Progress(f'fetching the source of mmcv {MMCV_VERSION}'),
        )
        half = folder / f'unpacking-{time.time_ns()}'
        with tarfile.open(folder / f'{name}.tar.gz') as archive:
            # Debian 12's Python 3.11.2 has no extraction filters yet.
            archive.extraction_filter = getattr(tarfile, 'data_filter', None)
            archive.extractall(half)
        return (half / name).replace(folder / name)
