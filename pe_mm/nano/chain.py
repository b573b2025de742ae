"""Commands run one after the other, each once: a killed chain goes on where it was."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pe_mm.checkpoints.writing import atomic_file

DONE = 'done.json'
LOG = 'log.txt'
_TAIL = 15  # Lines of a failed command's log that the error repeats.


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
    """

    title: str
    folder: Path
    command: Callable[[], Sequence[str]]

    @property
    def is_done(self) -> bool:
        """Whether the command has ended well."""
        return (self.folder / DONE).is_file()


def run_steps(steps: Sequence[Step], say: Callable[[str], None] = print) -> None:
    """Run what is not done yet.

    Raises:
        RuntimeError: A command failed; the message has the end of its log.
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
            file.write(f'$ {shlex.join(words)}\n')
            file.flush()
            code = subprocess.run(words, stdout=file, stderr=file, check=False)
        if code.returncode:
            tail = '\n'.join(log.read_text(errors='replace').splitlines()[-_TAIL:])
            raise RuntimeError(
                f'{step.title} failed (exit code {code.returncode}); mend it and start '
                f'the chain again, it goes on here. The end of {log}:\n{tail}'
            )
        seconds = time.monotonic() - start
        with atomic_file(step.folder / DONE) as temporary:
            temporary.write_text(json.dumps({'command': words, 'seconds': seconds}))
        say(f'{place}: {seconds:.0f} s')
