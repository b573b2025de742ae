"""`pe-mm demo-data` makes the data, reports plainly and explains errors."""

import argparse
from pathlib import Path

import pytest

from pe_mm.cli import demo_data

SMALL = ['--train', '2', '--val', '1', '--clips', '0', '--size', '64']


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    demo_data.add_arguments(parser)
    return demo_data.run(parser.parse_args(words))


def test_run__new_directory__makes_the_data_and_prints_plain_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / 'data'

    assert run(str(root), *SMALL, '--preview') == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'demo data: 0 of 3'
    assert lines[-3] == 'demo data: 3 of 3'
    assert lines[-2].startswith(
        f'{root}: 2 training and 1 validation pictures, 0 clips'
    )
    assert lines[-1] == f'preview: {root / "preview.png"}'
    assert len(list(root.glob('images/*/*.jpg'))) == 3
    assert (root / 'preview.png').stat().st_size > 1000


def test_run__on_a_terminal__draws_a_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('sys.stdout.isatty', lambda: True)

    assert run(str(tmp_path / 'data'), *SMALL) == 0

    assert '3/3' in capsys.readouterr().out


def test_arguments__none_but_the_directory__have_the_documented_values() -> None:
    parser = argparse.ArgumentParser()
    demo_data.add_arguments(parser)

    args = parser.parse_args(['somewhere'])

    assert vars(args) == {
        'root': 'somewhere',
        'train': 2000,
        'val': 200,
        'clips': 4,
        'frames': 16,
        'size': 256,
        'clutter': 1.0,
        'seed': 0,
        'workers': None,
        'preview': False,
    }


def test_run__foreign_directory__raises_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / 'notes.txt').write_text('mine')

    with pytest.raises(FileExistsError, match='not demo data'):
        run(str(tmp_path), *SMALL)

    assert [path.name for path in tmp_path.iterdir()] == ['notes.txt']
