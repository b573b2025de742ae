"""Run the commands of set-up: output into a log, a heartbeat on the terminal.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

HEARTBEAT_SECONDS = 15
# How a command is asked to end, and how long each is waited for.
SIGNALS = ((signal.SIGINT, 10), (signal.SIGTERM, 5), (signal.SIGKILL, 5))


class SetupError(Exception):
    """What the user has to mend, and how."""


def say(text: str) -> None:
    """Print one line at once, also into a pipe."""
    print(f'setup: {text}', flush=True)


def clock(seconds: float) -> str:
    """Write a duration as minutes and seconds: 221 -> '3:41'."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


def clean_environment(**extra: str) -> dict[str, str]:
    """Copy the environment without what would lead pip or Python out of the venv."""
    dropped = {
        'PYTHONPATH',
        'PYTHONHOME',
        'PIP_TARGET',
        'PIP_PREFIX',
        '__PYVENV_LAUNCHER__',
    }
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, 'PIP_USER': '0', 'PIP_DISABLE_PIP_VERSION_CHECK': '1', **extra}


def ask(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a short command and keep what it prints; 127 where it does not exist."""
    words = [str(word) for word in command]
    try:
        return subprocess.run(
            words, capture_output=True, text=True, check=False, env=clean_environment()
        )
    except OSError as error:
        return subprocess.CompletedProcess(words, 127, '', str(error))


class Progress:
    """Tell what a running command does, from the lines of its log.

    ninja counts only what is left (`[12/50]`); `done_before` files of an earlier,
    interrupted build are added.
    """

    def __init__(self, title: str, *, done_before: int = 0) -> None:
        self.title = title
        self.done_before = done_before
        self.state = ''

    def read(self, line: str) -> None:
        """Take in one line of the log."""
        step = re.match(r'\s*\[(\d+)/(\d+)\] (.*)', line)
        if step:
            done, total = (self.done_before + int(count) for count in step.group(1, 2))
            source = re.search(r'(\w+)\.o(\.d)?\b', step[3])
            last = f', last {source[1]}' if source else ''
            self.state = f'{done} of {total} files compiled{last}'
        elif re.match(
            r'\s*(Collecting|Downloading|Installing|Building|Processing)\b', line
        ):
            self.state = ' '.join(line.split())[:70]

    def report(self, elapsed: float) -> str:
        """Write the heartbeat line."""
        state = f': {self.state}' if self.state else ''
        return f'{self.title}{state} ({clock(elapsed)})'


def run_logged(
    command: list[str],
    log: Path,
    progress: Progress,
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> None:
    """Run a long command with its output in a log and a heartbeat on the terminal.

    Raises:
        SetupError: The command failed; the message ends with the tail of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    start = last_beat = time.monotonic()
    with log.open('w') as sink, log.open(errors='replace') as source:
        # An own process group: Ctrl-C reaches the compilers once, through us.
        # The lock is inherited: after a kill of this script alone, the next one waits.
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env or clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=False,
        )
        try:
            while process.poll() is None:
                time.sleep(0.2)
                for line in source:
                    progress.read(line)
                if time.monotonic() - last_beat >= HEARTBEAT_SECONDS:
                    last_beat = time.monotonic()
                    say('  ' + progress.report(last_beat - start))
        except BaseException:
            stop_group(process)
            raise
    if process.returncode:
        raise SetupError(failure_message(progress.title, log))
    say(f'  {progress.title}: done ({clock(time.monotonic() - start)})')


def stop_group(process: subprocess.Popen[bytes]) -> None:
    """End a command and its children; gently first, so that ninja drops half files."""
    for number, seconds in SIGNALS:
        deadline = time.monotonic() + seconds
        try:
            os.killpg(process.pid, number)
            while time.monotonic() < deadline:
                process.poll()
                os.killpg(process.pid, 0)  # raises once nobody is left
                time.sleep(0.05)
        except ProcessLookupError:
            return


def failure_message(title: str, log: Path) -> str:
    """Say what failed, the likely reason, and the end of the log."""
    text = log.read_text(errors='replace')
    tail = '\n'.join(f'    {line[:200]}' for line in text.splitlines()[-15:])
    hints = (
        (
            r'No space left on device',
            'The disk is full: free about 6 GB and run this again.',
        ),
        (
            r'name resolution|Network is unreachable|NewConnectionError|Max retries'
            r'|Connection refused|ConnectionError|timed out|NameResolutionError',
            "pip could not reach its package index: check the network, or pip's proxy "
            'and index settings (`pip config list`), and run this again.',
        ),
        (
            r'Killed|out of memory|cannot allocate memory',
            'The compiler ran out of memory: run this again with MAX_JOBS=1.',
        ),
        (
            r'No matching distribution found|Could not find a version',
            'The package index has no such version for this Python and system.',
        ),
    )
    hint = next(
        (f'\n{fix}' for pattern, fix in hints if re.search(pattern, text, re.I)), ''
    )
    return f'{title} failed.{hint}\n  The end of {log}:\n{tail}'
