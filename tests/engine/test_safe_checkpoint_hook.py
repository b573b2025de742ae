"""A complete checkpoint is on disk at every moment of saving the next."""

import os

import pytest
from mmengine.fileio import LocalBackend

from pe_mm.engine.safe_checkpoint_hook import AtomicLocalBackend, _PostponedRemovals


def test_put__new_file__has_the_bytes_and_usual_rights(tmp_path):
    mask = os.umask(0o022)
    try:
        AtomicLocalBackend().put(b'new', tmp_path / 'folder' / 'file.pth')
    finally:
        os.umask(mask)

    path = tmp_path / 'folder' / 'file.pth'
    assert path.read_bytes() == b'new'
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_put__disk_fails__leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / 'file.pth'
    path.write_bytes(b'old')

    def fail(handle):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(OSError, match='No space left'):
        AtomicLocalBackend().put(b'new', path)

    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_postponed_removals__files_and_folders__go_when_caught_up(tmp_path):
    (tmp_path / 'old.pth').touch()
    (tmp_path / 'sharded').mkdir()
    backend = _PostponedRemovals(LocalBackend())

    backend.remove(str(tmp_path / 'old.pth'))
    backend.rmtree(str(tmp_path / 'sharded'))
    assert len(list(tmp_path.iterdir())) == 2

    backend.catch_up()
    assert list(tmp_path.iterdir()) == []
    backend.catch_up()


def test_postponed_removals__everything_else__is_the_backends(tmp_path):
    backend = _PostponedRemovals(LocalBackend())

    assert backend.isfile(str(tmp_path)) is False
    assert backend.join_path('a', 'b') == os.path.join('a', 'b')
