"""Demo data is the same whoever makes it, and never harms other files."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pe_mm.data import storage
from pe_mm.data.demo_scenes import make_demo_data

SMALL = {'train': 4, 'val': 2, 'clips': 2, 'size': 96, 'frames': 3}

MAKE = """
import sys
from pe_mm.data.demo_scenes import make_demo_data
if __name__ == '__main__':
    make_demo_data(sys.argv[1], {options}, workers=int(sys.argv[2]))
"""


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def command(tmp_path: Path, root: Path, workers: int) -> list[str]:
    options = ', '.join(f'{name}={value}' for name, value in SMALL.items())
    script = tmp_path / 'make.py'
    script.write_text(MAKE.format(options=options))
    return [sys.executable, str(script), str(root), str(workers)]


def test_make_demo_data__two_other_processes__give_the_same_bytes(
    demo_root: Path, tmp_path: Path
) -> None:
    make_demo_data(tmp_path / 'a', **SMALL, workers=2)

    assert contents(tmp_path / 'a') == contents(demo_root)


def test_make_demo_data__killed_then_run_again__gives_the_same_bytes(
    demo_root: Path, tmp_path: Path
) -> None:
    root = tmp_path / 'a'
    process = subprocess.Popen(command(tmp_path, root, 1))
    first = root / 'scenes' / 'training' / '000000.json'
    deadline = time.monotonic() + 120
    while not first.exists() and process.poll() is None:
        assert time.monotonic() < deadline, 'no picture came'
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    manifest = json.loads((root / 'demo_data.json').read_text())
    # Also what a kill in the middle of a write leaves behind.
    half = first.with_name(f'.000003.json.{process.pid}.tmp')
    half.write_bytes(b'{"instan')
    kept = first.stat().st_mtime_ns

    make_demo_data(root, **SMALL, workers=1)

    assert manifest['complete'] is False
    assert first.stat().st_mtime_ns == kept
    assert contents(root) == contents(demo_root)


def test_make_demo_data__finished__is_not_touched_again(tmp_path: Path) -> None:
    options = {'train': 2, 'val': 0, 'clips': 0, 'size': 64}
    make_demo_data(tmp_path / 'a', **options)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / 'a').rglob('*')}

    seen: list[tuple[int, int]] = []
    make_demo_data(
        tmp_path / 'a', **options, on_progress=lambda *counts: seen.append(counts)
    )

    assert seen == [(2, 2)]
    assert times == {
        path: path.stat().st_mtime_ns for path in (tmp_path / 'a').rglob('*')
    }


def test_make_demo_data__made_without_caption_lines__gets_them_and_no_more(
    tmp_path: Path,
) -> None:
    options = {'train': 1, 'val': 1, 'clips': 1, 'size': 64, 'frames': 2}
    root = make_demo_data(tmp_path / 'a', **options)
    whole = contents(root)
    picture = root / 'images' / 'training' / '000000.jpg'
    time_of_picture = picture.stat().st_mtime_ns
    for path in root.glob('captions/*.jsonl'):
        path.unlink()

    make_demo_data(root, **options)

    assert contents(root) == whole
    assert picture.stat().st_mtime_ns == time_of_picture


def test_make_demo_data__more_asked_for__extends_without_changing_pictures(
    tmp_path: Path,
) -> None:
    make_demo_data(tmp_path / 'a', train=1, val=1, clips=0, size=64)
    make_demo_data(tmp_path / 'b', train=3, val=1, clips=1, size=64, frames=16)
    before = contents(tmp_path / 'a')

    make_demo_data(tmp_path / 'a', train=3, val=1, clips=1, size=64, frames=16)

    after = contents(tmp_path / 'a')
    assert after == contents(tmp_path / 'b')
    lists = {'demo_data.json'} | {
        k for k in before if k.startswith(('annotations/', 'captions/'))
    }
    for name in before.keys() - lists:
        assert after[name] == before[name]


def test_make_demo_data__other_seed__gives_other_pictures(tmp_path: Path) -> None:
    pictures = set()
    for seed in (0, 1):
        root = make_demo_data(
            tmp_path / str(seed), train=1, val=1, clips=0, size=64, seed=seed
        )
        pictures |= {path.read_bytes() for path in root.glob('images/*/*.jpg')}

    assert len(pictures) == 4


def test_make_demo_data__progress__counts_up_to_all(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    make_demo_data(
        tmp_path / 'a',
        train=2,
        val=1,
        clips=0,
        size=64,
        on_progress=lambda *counts: seen.append(counts),
    )

    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_make_demo_data__foreign_files__are_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'holiday.jpg').write_bytes(b'precious')

    with pytest.raises(FileExistsError, match='not demo data'):
        make_demo_data(tmp_path, train=1, val=0, clips=0, size=64)

    assert contents(tmp_path) == {'images/holiday.jpg': b'precious'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'seed': 1}, 'made with seed 0, not 1; .*or seed 0 to continue'),
        ({'size': 128}, 'made with size 96, not 128'),
        ({'frames': 4}, 'made with frames 3, not 4'),
        ({'train': 1}, 'made with train 4, and 1 is less; .*give at least 4'),
    ],
)
def test_make_demo_data__other_options__says_what_differs(
    demo_root: Path, change: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_demo_data(demo_root, **(SMALL | change))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'size': 32}, 'size is 32; give a number from 64 to 2048'),
        ({'size': 4096}, 'size is 4096; give a number from 64'),
        ({'train': -1}, 'train is -1; give a number from 0'),
        ({'val': -5}, 'val is -5'),
        ({'clips': -1}, 'clips is -1'),
        ({'frames': 1}, 'frames is 1; give a number from 2'),
        ({'seed': -1}, 'seed is -1; give a number from 0'),
        ({'workers': 0}, 'workers is 0; give at least 1'),
    ],
)
def test_make_demo_data__option_out_of_range__says_what_is_allowed(
    tmp_path: Path, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_demo_data(tmp_path / 'a', **options)
    assert not (tmp_path / 'a').exists()


def test_make_demo_data__disk_full_half_way__says_so_and_then_goes_on(
    demo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = iter(range(10))
    replace = os.replace

    def fill_up(source: Path, target: Path) -> None:
        if next(writes, None) is None:
            raise OSError(errno.ENOSPC, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(storage.os, 'replace', fill_up)
    with pytest.raises(OSError, match='disk is full: cannot write .*images'):
        make_demo_data(tmp_path / 'a', **SMALL, workers=1)
    monkeypatch.undo()

    make_demo_data(tmp_path / 'a', **SMALL, workers=1)

    assert contents(tmp_path / 'a') == contents(demo_root)


def test_make_demo_data__directory_below_a_file__says_what_to_do(
    tmp_path: Path,
) -> None:
    (tmp_path / 'file').write_text('')

    with pytest.raises(OSError, match='cannot write .*choose a directory you own'):
        make_demo_data(tmp_path / 'file' / 'a', train=1, val=0, clips=0, size=64)
