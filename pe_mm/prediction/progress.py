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

from pe_mm.data.progress import TenthPrinter


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
