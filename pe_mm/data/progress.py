"""Progress of long work: a bar on a terminal, elsewhere a line every tenth."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class TenthPrinter:
    """Print a line at every tenth of the work.

    Args:
        label: What every line begins with.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        """Report ``done`` of ``total`` jobs; nothing to do counts as finished."""
        tenth = 10 * done // total if total else 10
        if tenth > self._shown:
            self._shown = tenth
            print(f'{self._label}{done} of {total}', flush=True)


@contextmanager
def show_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes the numbers of what is done and of all."""
    if not sys.stdout.isatty():
        yield TenthPrinter(f'{label}: ')
        return
    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(label)
        yield lambda done, total: bar.update(task, completed=done, total=total)
