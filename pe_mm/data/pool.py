"""Run jobs on several processes that die with their parent."""

import errno
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar('T')

FEW = 32  # Fewer jobs take less time than starting processes.
ONE_THREAD = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')


def run_all(
    job: Callable[[T], None], items: Sequence[T], *, workers: int | None = None
) -> Iterator[int]:
    """Do a job for every item, and yield the number of finished ones now and then.

    Args:
        job: A function that other processes can import.
        items: What to call it with.
        workers: Number of processes; 1 for none besides this one, None for one per
            core, or 1 where there is little to do.

    Raises:
        ChildProcessError: A process died.
    """
    if workers is None:
        workers = available_cores() if len(items) > FEW else 1
    if workers == 1 or len(items) <= 1:
        for count, item in enumerate(items, start=1):
            job(item)
            yield count
        return
    context = multiprocessing.get_context('spawn')
    with (
        one_thread_each(),
        ProcessPoolExecutor(workers, context, die_with_parent) as pool,
    ):
        futures = [pool.submit(job, item) for item in items]
        try:
            for count, future in enumerate(as_completed(futures), start=1):
                future.result()
                yield count
        except BrokenProcessPool as error:
            raise ChildProcessError(
                errno.ECHILD,
                'a rendering process died; if a script of yours started it, put the '
                "call under `if __name__ == '__main__':`, or use workers=1",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def available_cores() -> int:
    """Count the cores that this process may use, as far as the system tells."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes started meanwhile compute on one thread, as each has one core."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, '1'))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def die_with_parent() -> None:
    """End this process when its parent is gone, even if that was killed.

    Ctrl-C is left to the parent, which lets started jobs finish or ends them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=_wait_and_die, args=(sentinel,), daemon=True).start()


def _wait_and_die(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
