"""Commands run one after the other, each once: a killed chain goes on where it was."""

import fcntl
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device

from pe_mm.checkpoints.writing import atomic_file
from pe_mm.installed import collect_versions

DONE = 'done.json'
LOG = 'log.txt'
_TAIL = 15  # Lines of a failed command's log that are repeated.


@dataclass(frozen=True)
class Step:
    """A command, and the folder of what it makes.

    Args:
        title: What progress calls it.
        folder: Where its log and, once it has ended well, ``done.json`` are; two steps
            never share one.
        command: Returns the words; called when the step starts, because they may name
            what an earlier step has made. The command must be one that continues its
            own work when it is started again.
        once: Whether it is over for good when it has ended well; else it is started
            every time, and finds out itself what is missing.
    """

    title: str
    folder: Path
    command: Callable[[], Sequence[str]]
    once: bool = True

    @property
    def is_done(self) -> bool:
        """Whether the command has ended well and is not to be started again."""
        return self.once and (self.folder / DONE).is_file()


def collect_conditions() -> dict[str, Any]:
    """Return versions, and the device that mmengine's commands take."""
    device = get_device()
    return {
        'versions': collect_versions(),
        'device': torch.cuda.get_device_name() if device == 'cuda' else device.upper(),
    }


def run_steps(steps: Sequence[Step], say: Callable[[str], None] = print) -> None:
    """Run what is not done yet.

    Raises:
        ChildProcessError: A command failed; the end of its log was said.
        ValueError: A command still runs, from a chain that was killed.
    """
    for number, step in enumerate(steps, start=1):
        place = f'[{number}/{len(steps)}] {step.title}'
        if step.is_done:
            say(f'{place}: done before')
            continue
        words = list(map(str, step.command()))
        step.folder.mkdir(parents=True, exist_ok=True)
        log = step.folder / LOG
        say(f'{place}: started, log in {log}')
        start = time.monotonic()
        with log.open('a') as file:
            try:
                # The command holds the log open too: its lock outlives a killed chain.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ValueError(
                    f'{step.title} is still running, from a chain that was killed; '
                    f'wait for it or end it (log in {log}), and start the chain again'
                ) from error
            file.write(f'$ {shlex.join(words)}\n')
            file.flush()
            code = subprocess.run(words, stdout=file, stderr=file, check=False)
        if code.returncode:
            tail = '\n'.join(log.read_text(errors='replace').splitlines()[-_TAIL:])
            say(f'The end of {log}:\n{tail}')
            raise ChildProcessError(
                f'{step.title} failed (exit code {code.returncode}); mend it and start '
                'the chain again, it goes on here'
            )
        seconds = time.monotonic() - start
        with atomic_file(step.folder / DONE) as temporary:
            facts = {'command': words, 'seconds': seconds, **collect_conditions()}
            temporary.write_text(json.dumps(facts))
        say(f'{place}: {seconds:.0f} s')
