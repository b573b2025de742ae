"""The trainings of `pe-mm demo`: several at once, each in a process of its own."""

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Generator, Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from torch.multiprocessing import (
    ProcessContext,
    ProcessExitedException,
    start_processes,
)

from pe_mm.data.pool import one_thread_each

from .demo_state import DemoState
from .resuming import find_resumable_checkpoint
from .run_report import read_scalars

CONFIG = 'demo_config.py'
CONSOLE = 'console.log'

_LONGEST_FIRST = ('segmentation', 'detection', 'depth')
_SECONDS_BETWEEN_LINES = 20
_LAST_LINES = 12

# What every training imports, which takes as long as a hundred of its steps.
_IMPORTED_ONCE = (
    'pe_mm.engine',
    'mmdet.datasets',
    'mmdet.models',
    'mmseg.datasets',
    'mmseg.models',
)


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
        ended when the iterator is closed.

    Raises:
        ChildProcessError: A training failed; with the last lines that it wrote.
    """
    waiting = [
        task for task in _LONGEST_FIRST if task in configs and task not in state.seconds
    ]
    running: dict[str, _Training] = {}
    next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
    try:
        while waiting or running:
            ended = [task for task, one in running.items() if one.has_ended()]
            for task in ended:
                state.seconds[task] = running.pop(task).seconds
                state.save()
                print(f'[{task}] trained in {state.seconds[task]:.0f} s', flush=True)
            while waiting and len(running) < jobs:
                task = waiting.pop(0)
                running[task] = _Training(state, task, configs[task], threads)
            for task in ended:
                yield task, len(running)
            if running and time.monotonic() > next_line:
                print(
                    '      ' + '; '.join(one.progress for one in running.values()),
                    flush=True,
                )
                next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
            time.sleep(0.2)
    finally:
        for one in running.values():
            one.end()


class _Training:
    """A training that runs."""

    def __init__(self, state: DemoState, task: str, cfg: Config, threads: int) -> None:
        self._task = task
        self._epochs = cfg.train_cfg.max_epochs
        self._work_dir = Path(cfg.work_dir)
        self._start = self._end = time.monotonic()
        begun = self._work_dir.is_dir() and find_resumable_checkpoint(self._work_dir)
        if begun and task not in state.resumed:
            state.resumed.append(task)
        state.save()
        trained = cfg.copy()
        # Tested afterwards.
        trained.val_cfg = trained.val_dataloader = trained.val_evaluator = None
        self._work_dir.mkdir(exist_ok=True)
        trained.dump(self._work_dir / CONFIG)
        print(f'[{task}] training, log in {self._work_dir}', flush=True)
        # The trainings of a demo are forked from one process that computes nothing.
        multiprocessing.set_forkserver_preload(list(_IMPORTED_ONCE))
        with one_thread_each():
            self._process: ProcessContext = start_processes(
                _train_process,
                args=(threads, str(self._work_dir)),
                join=False,
                start_method='forkserver',
            )

    def has_ended(self) -> bool:
        try:
            ended = self._process.join(timeout=0)
        except ProcessExitedException as error:
            path = self._work_dir / CONSOLE
            last = path.read_text(errors='replace').splitlines()[-_LAST_LINES:]
            raise ChildProcessError(
                '\n'.join([f'the training of {self._task} failed:', *last])
                + f'\n(all that it wrote is in {path}); mend it and start the demo '
                'again, it goes on there'
            ) from error
        self._end = time.monotonic()
        return bool(ended)

    def end(self) -> None:
        for process in self._process.processes:
            process.terminate()
            process.join()

    @property
    def seconds(self) -> float:
        return self._end - self._start

    @property
    def progress(self) -> str:
        rows = read_scalars(self._work_dir)
        if not rows:
            return f'{self._task} starts'
        epoch, loss = rows[-1]['epoch'], rows[-1]['loss']
        return f'{self._task}: epoch {epoch:.0f} of {self._epochs}, loss {loss:.2f}'


def _train_process(_rank: int, threads: int, work_dir: str) -> None:
    """Train as `pe-mm train` does, with all that it writes in a file."""
    with Path(work_dir, CONSOLE).open('a', buffering=1) as console:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(console.fileno(), stream.fileno())
    torch.set_num_threads(threads)
    from pe_mm.cli.main import main

    config = str(Path(work_dir, CONFIG))
    try:
        code = main(['train', config, '--resume', '--work-dir', work_dir])
    except Exception:
        traceback.print_exc()
        code = 1
    if code:
        raise SystemExit(code)
