"""The trainings of `pe-mm demo`: several at once, each in a process of its own."""

import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path

import torch
from mmengine.config import Config

from pe_mm.data.pool import die_with_parent, one_thread_each

from .demo_state import DemoState
from .resuming import find_resumable_checkpoint
from .run_report import read_scalars

CONFIG = 'demo_config.py'
CONSOLE = 'console.log'

_LONGEST_FIRST = ('segmentation', 'detection', 'depth')
_SECONDS_BETWEEN_LINES = 20
_LAST_LINES = 12


def train(
    state: DemoState, configs: Mapping[str, Config], jobs: int, threads: int
) -> Generator[tuple[str, int]]:
    """Train what is not trained yet, or continue it, and yield each task at its end.

    One training per core gets more out of few cores than one training of several
    processes or threads: optimizers, small operators and most of a detector's losses do
    not gain from a second core.

    Args:
        state: Is told how long each training took, and saved.
        configs: Of all tasks.
        jobs: How many train at once.
        threads: Of each.

    Yields:
        The task that is trained, and the number of those that go on meanwhile. They are
        ended when the generator is closed.

    Raises:
        ChildProcessError: A training failed; its last lines are on stderr then.
    """
    waiting = [task for task in configs if task not in state.seconds]
    waiting.sort(key=_LONGEST_FIRST.index)
    _import_once(configs)
    running: dict[str, _Training] = {}
    next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
    try:
        while waiting or running:
            ended = [task for task, one in running.items() if one.check_ended()]
            for task in ended:
                _record(state, task, running.pop(task))
            while waiting and len(running) < jobs:
                task = waiting.pop(0)
                running[task] = _Training(state, task, configs[task], threads)
            for task in ended:
                yield task, len(running)
            if running and time.monotonic() > next_line:
                reports = [one.describe() for one in running.values()]
                print('      ' + '; '.join(reports), flush=True)
                next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
            time.sleep(0.2)
    finally:
        for one in running.values():
            one.process.terminate()
        for task, one in running.items():
            one.process.join()
            if one.process.exitcode == 0:  # It ended while another was tested.
                _record(state, task, one)


def _record(state: DemoState, task: str, training: '_Training') -> None:
    state.seconds[task] = training.seconds
    state.save()
    print(f'[{task}] trained in {training.seconds:.0f} s', flush=True)


def _import_once(configs: Mapping[str, Config]) -> None:
    """Let trainings be forked from a process that has imported what they need.

    Imports take as long as a hundred steps. That process computes nothing, as threads
    that compute would not survive in a fork.
    """
    scopes = {cfg.default_scope for cfg in configs.values()}
    packages = [
        f'{scope}.{part}' for scope in scopes for part in ('datasets', 'models')
    ]
    multiprocessing.set_forkserver_preload(['pe_mm.engine', *packages])


class _Training:
    """A training that goes on in a process of its own.

    Args:
        state: Is told if the training was begun before, and saved.
        task: What it is called.
        cfg: Its config.
        threads: That it computes on.
    """

    def __init__(self, state: DemoState, task: str, cfg: Config, threads: int) -> None:
        self._task = task
        self._epochs = cfg.train_cfg.max_epochs
        self._work_dir = Path(cfg.work_dir)
        if (
            any(self._work_dir.glob('*.pth'))
            and find_resumable_checkpoint(self._work_dir) is not None
            and task not in state.resumed
        ):
            state.resumed.append(task)
        state.save()
        cfg = cfg.copy()
        # Tested afterwards.
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        self._work_dir.mkdir(exist_ok=True)
        cfg.dump(self._work_dir / CONFIG)
        console = self._work_dir / CONSOLE
        self._written = console.stat().st_size if console.is_file() else 0
        print(f'[{task}] training, log in {self._work_dir}', flush=True)
        self._start = time.monotonic()
        self.process = multiprocessing.get_context('forkserver').Process(
            target=_train_process, args=(threads, self._work_dir)
        )
        # The process that trainings are forked from keeps the environment of its start,
        # which is the first training's.
        with one_thread_each():
            self.process.start()
        self._watcher = threading.Thread(target=self._note_end, daemon=True)
        self._watcher.start()

    def _note_end(self) -> None:
        multiprocessing.connection.wait([self.process.sentinel])
        self._end = time.monotonic()

    def check_ended(self) -> bool:
        """Tell whether the training is complete.

        Raises:
            ChildProcessError: It failed; its last lines are on stderr then.
        """
        code = self.process.exitcode
        if code:
            console = self._work_dir / CONSOLE
            written = console.read_bytes() if console.is_file() else b''
            lines = written[self._written :].decode(errors='replace').splitlines()
            print(*lines[-_LAST_LINES:], sep='\n', file=sys.stderr)
            how = f'exit status {code}' if code > 0 else f'signal {-code}'
            raise ChildProcessError(
                f'the training of {self._task} failed ({how}); its last lines are '
                f'above, all are in {console}; correct the cause and start the demo '
                'again: it continues from the last checkpoint'
            )
        return code == 0

    @property
    def seconds(self) -> float:
        """What it took, once it has ended."""
        self._watcher.join()
        return self._end - self._start

    def describe(self) -> str:
        """Say how far it is."""
        rows = read_scalars(self._work_dir)
        if not rows:
            return f'{self._task} starts'
        epoch, loss = rows[-1]['epoch'], rows[-1]['loss']
        return f'{self._task}: epoch {epoch:.0f} of {self._epochs}, loss {loss:.2f}'


def _train_process(threads: int, work_dir: Path) -> None:
    """Train as `pe-mm train` does, with all that it writes in a file."""
    die_with_parent()
    with (work_dir / CONSOLE).open('a') as console:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(console.fileno(), stream.fileno())
    torch.set_num_threads(threads)
    from pe_mm.cli.main import main

    words = ['--resume', '--launcher', 'none', '--work-dir', str(work_dir)]
    sys.exit(main(['train', str(work_dir / CONFIG), *words]))
