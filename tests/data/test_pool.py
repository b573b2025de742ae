"""Jobs run once each, on this process or on others, and errors come through."""

import os
from pathlib import Path

import pytest

from pe_mm.data.pool import run_all


def test_run_all__one_worker__runs_here_in_order() -> None:
    done: list[int] = []

    counts = list(run_all(done.append, [5, 6, 7], workers=1))

    assert done == [5, 6, 7]
    assert counts == [1, 2, 3]


def test_run_all__nothing_to_do__does_nothing() -> None:
    assert list(run_all(print, [], workers=2)) == []


def test_run_all__two_workers__do_every_item_and_pass_errors_on(tmp_path: Path) -> None:
    folders = [str(tmp_path / f'{k}') for k in range(10)]
    counts = []

    # A folder cannot be made twice, so the last job fails.
    with pytest.raises(FileExistsError, match='0'):
        for count in run_all(os.mkdir, [*folders, folders[0]], workers=2):
            counts.append(count)

    assert len(list(tmp_path.iterdir())) == 10
    assert counts == list(range(1, len(counts) + 1))


def test_run_all__a_process_dies__says_what_may_help() -> None:
    with pytest.raises(ChildProcessError, match='rendering process died.*__main__'):
        list(run_all(os._exit, [3, 3], workers=2))
