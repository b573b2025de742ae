"""Files are written whole or not at all, and foreign ones are left alone."""

import errno
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pe_mm.data.storage import (
    MANIFEST,
    davis_palette,
    encode_json,
    manifest_content,
    read_manifest,
    remove_leftovers,
    write_bytes,
    write_indexed_png,
)


def test_write_bytes__new_folder__is_made(tmp_path: Path) -> None:
    write_bytes(tmp_path / 'a' / 'b.txt', b'hello')

    assert (tmp_path / 'a' / 'b.txt').read_bytes() == b'hello'
    assert [path.name for path in (tmp_path / 'a').iterdir()] == ['b.txt']


@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EDQUOT])
def test_write_bytes__disk_full__says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(path: Path, data: bytes) -> int:
        with open(path, 'wb') as file:
            file.write(data[:2])
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, 'write_bytes', fail)

    with pytest.raises(OSError, match='disk is full.*run the same command again'):
        write_bytes(tmp_path / 'b.txt', b'hello')
    assert list(tmp_path.iterdir()) == []


def test_write_bytes__a_file_in_the_way__is_named(tmp_path: Path) -> None:
    (tmp_path / 'a').write_text('a file')

    with pytest.raises(OSError, match='cannot write .*choose a directory you own'):
        write_bytes(tmp_path / 'a' / 'b.txt', b'hello')


def test_remove_leftovers__of_a_dead_process__only_those_go(tmp_path: Path) -> None:
    dead = tmp_path / f'.x.json.{2**22 + 1}.tmp'
    alive = tmp_path / f'.x.json.{os.getpid()}.tmp'
    foreign = tmp_path / '.notes.tmp'
    for path in (dead, alive, foreign):
        path.write_text('half')

    remove_leftovers(tmp_path)

    assert sorted(tmp_path.iterdir()) == sorted([alive, foreign])


def test_remove_leftovers__of_a_killed_process_not_waited_for__go(
    tmp_path: Path,
) -> None:
    process = subprocess.Popen(['sleep', '60'])
    leftover = tmp_path / f'.x.json.{process.pid}.tmp'
    leftover.write_text('half')
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    remove_leftovers(tmp_path)

    assert not leftover.exists()
    process.wait()


def test_read_manifest__nothing_or_empty__is_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / 'new') is None


def test_read_manifest__foreign_files__are_refused(tmp_path: Path) -> None:
    (tmp_path / 'thesis.tex').write_text('precious')

    with pytest.raises(FileExistsError, match='not demo data.*nothing was written'):
        read_manifest(tmp_path)


def test_read_manifest__a_file__is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    path.write_text('')

    with pytest.raises(NotADirectoryError, match='is a file; give a directory'):
        read_manifest(path)


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"format": "something else"}'])
def test_read_manifest__not_ours__is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)

    with pytest.raises(FileExistsError, match='not a manifest of demo data'):
        read_manifest(tmp_path)


def test_read_manifest__other_version__is_refused(tmp_path: Path) -> None:
    content = json.loads(manifest_content({}, {}, complete=True)) | {'version': 0}
    (tmp_path / MANIFEST).write_text(json.dumps(content))

    with pytest.raises(ValueError, match='version 0, this is version 1; delete it'):
        read_manifest(tmp_path)


def test_read_manifest__written_by_us__is_read(tmp_path: Path) -> None:
    write_bytes(
        tmp_path / MANIFEST, manifest_content({'a': 1}, {'b': 2}, complete=True)
    )

    manifest = read_manifest(tmp_path)

    assert manifest is not None
    assert (manifest['options'], manifest['counts']) == ({'a': 1}, {'b': 2})


def test_indexed_png__read_back__has_ids_and_the_davis_colours(tmp_path: Path) -> None:
    ids = np.array([[0, 1], [2, 20]], dtype=np.uint8)

    write_indexed_png(tmp_path / 'mask.png', ids)

    picture = Image.open(tmp_path / 'mask.png')
    assert picture.mode == 'P'
    assert np.array_equal(np.array(picture), ids)
    colors = np.array(picture.convert('RGB'))
    assert colors.tolist() == [[[0, 0, 0], [128, 0, 0]], [[0, 128, 0], [0, 64, 128]]]


def test_davis_palette__first_colours__are_those_of_pascal_voc() -> None:
    assert davis_palette()[:5].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
    ]


def test_encode_json__same_content__same_bytes() -> None:
    assert encode_json({'b': [1, 0.5], 'a': 'é'}) == b'{"b":[1,0.5],"a":"\\u00e9"}\n'
