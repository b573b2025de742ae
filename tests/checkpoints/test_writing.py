"""Files appear complete or not at all."""

import errno
import os

import pytest
import torch
from safetensors import safe_open

from pe_mm.checkpoints import CheckpointError, read_checkpoint
from pe_mm.checkpoints.writing import (
    _own_memory,
    make_out_folder,
    replacing,
    save_checkpoint,
)


def test_save__view_of_a_large_tensor__writes_the_view_alone(tmp_path) -> None:
    large = torch.randn(1000, 1000)
    save_checkpoint(tmp_path / 'a.pt', {'row': large[3], 'turned': large[:2].T})
    assert (tmp_path / 'a.pt').stat().st_size < 20_000
    content = read_checkpoint(tmp_path / 'a.pt')
    assert torch.equal(content['row'], large[3])
    assert torch.equal(content['turned'], large[:2].T)


def test_save__tensors_that_share_a_storage__are_not_copied(tmp_path) -> None:
    flat = torch.arange(10.0)
    tensors = {
        'a': flat[:4].view(2, 2),
        'b': flat[4:],
        'again': flat[4:],
        'no': flat[:0],
    }
    save_checkpoint(tmp_path / 'a.pt', tensors)
    content = read_checkpoint(tmp_path / 'a.pt')
    for name, tensor in tensors.items():
        assert torch.equal(content[name], tensor)
        assert content[name].untyped_storage().nbytes() == tensor.nbytes
    own = _own_memory(tensors['b'])
    assert own.data_ptr() == tensors['b'].data_ptr()
    assert own.untyped_storage().nbytes() == 24


def test_save__facts__are_beside_the_tensors(tmp_path) -> None:
    tensors, meta = {'a': torch.ones(2)}, {'variant': 'PE-Core-T16-384'}
    save_checkpoint(tmp_path / 'a.pt', tensors, meta=meta)
    content = read_checkpoint(tmp_path / 'a.pt')
    assert content['meta'] == meta
    assert torch.equal(content['state_dict']['a'], tensors['a'])
    save_checkpoint(tmp_path / 'a.safetensors', tensors, meta=meta)
    with safe_open(tmp_path / 'a.safetensors', framework='pt') as file:
        assert file.metadata() == {'format': 'pt', **meta}


def test_save__missing_folder__is_made_with_normal_rights(tmp_path) -> None:
    path = tmp_path / 'new' / 'a.pt'
    save_checkpoint(path, {'a': torch.ones(2)})
    (tmp_path / 'other').touch()
    assert path.stat().st_mode == (tmp_path / 'other').stat().st_mode


def test_replacing__failure__keeps_the_old_file_and_leaves_nothing(tmp_path) -> None:
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with (
        pytest.raises(CheckpointError, match=r'could not write .*a\.txt: .*No space'),
        replacing(path) as temporary,
    ):
        temporary.write_text('half')
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_replacing__parent_is_a_file__is_a_clear_error(tmp_path) -> None:
    (tmp_path / 'file').touch()
    with (
        pytest.raises(CheckpointError, match='could not write'),
        replacing(tmp_path / 'file' / 'a.pt'),
    ):
        pass


def test_make_out_folder__missing__is_made_and_left_empty(tmp_path) -> None:
    make_out_folder(tmp_path / 'a' / 'b')
    assert list((tmp_path / 'a' / 'b').iterdir()) == []


def test_make_out_folder__file_in_its_place__is_an_error(tmp_path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(NotADirectoryError, match='--out .*file is a file; give a'):
        make_out_folder(tmp_path / 'file')
    with pytest.raises(OSError, match='--out .*sub cannot be written to: Not a dir'):
        make_out_folder(tmp_path / 'file' / 'sub')


def test_make_out_folder__read_only__is_an_error(tmp_path, monkeypatch) -> None:
    def refuse(**kwargs):
        raise PermissionError(13, 'Permission denied', kwargs['dir'])

    # The rights of a folder do not stop root, whom tests may run as.
    monkeypatch.setattr('tempfile.TemporaryFile', refuse)
    with pytest.raises(OSError, match='cannot be written to: Permission denied; '):
        make_out_folder(tmp_path)
