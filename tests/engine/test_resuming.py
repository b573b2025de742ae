"""Which checkpoint a training continues from."""

import os
import pickle

import pytest
import torch

from pe_mm.checkpoints import CheckpointError
from pe_mm.engine.resuming import (
    find_resumable_checkpoint,
    read_checkpoint_file,
    read_training_checkpoint,
)


def save(path, epoch=1, **drop):
    content = {'meta': {'epoch': epoch}, 'state_dict': {}, 'message_hub': {}}
    content['optimizer'] = {'state': torch.zeros(100)}
    for key in drop:
        del content[key]
    torch.save(content, path)
    os.utime(path, (epoch, epoch))
    return path


def tear(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_find_resumable_checkpoint__pointer__is_followed(tmp_path):
    save(tmp_path / 'epoch_2.pth', 2)
    named = save(tmp_path / 'epoch_1.pth', 1)
    (tmp_path / 'last_checkpoint').write_text(str(named))

    assert find_resumable_checkpoint(tmp_path) == named


@pytest.mark.parametrize('pointer', [None, '', 'epoch_9.pth'])
def test_find_resumable_checkpoint__useless_pointer__takes_the_newest(
    tmp_path, pointer
):
    save(tmp_path / 'epoch_1.pth', 1)
    newest = save(tmp_path / 'epoch_2.pth', 2)
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer)

    assert find_resumable_checkpoint(tmp_path) == newest


def test_find_resumable_checkpoint__newest_is_torn__takes_the_one_before(
    tmp_path, capsys
):
    older = save(tmp_path / 'epoch_1.pth', 1)
    torn = save(tmp_path / 'epoch_2.pth', 2)
    (tmp_path / 'last_checkpoint').write_text(str(torn))
    tear(torn)

    assert find_resumable_checkpoint(tmp_path) == older
    assert f'{torn} is incomplete or damaged' in capsys.readouterr().err


def test_find_resumable_checkpoint__best_checkpoints__have_no_optimizer(tmp_path):
    save(tmp_path / 'best_mAP_epoch_2.pth', 2, optimizer=True)
    last = save(tmp_path / 'epoch_1.pth', 1)

    assert find_resumable_checkpoint(tmp_path) == last


def test_find_resumable_checkpoint__nothing_there__is_none(tmp_path, capsys):
    assert find_resumable_checkpoint(tmp_path / 'new') is None
    assert 'training starts anew' in capsys.readouterr().err


def test_read_training_checkpoint__weights_only__says_how_to_use_them(tmp_path):
    path = save(tmp_path / 'weights.pth', optimizer=True, message_hub=True)

    with pytest.raises(CheckpointError, match='no message_hub, optimizer.*load_from='):
        read_training_checkpoint(path)


def test_read_checkpoint_file__no_file__is_named(tmp_path):
    with pytest.raises(CheckpointError, match='no.pth does not exist'):
        read_checkpoint_file(tmp_path / 'no.pth')


def test_read_checkpoint_file__empty_file__is_damaged(tmp_path):
    (tmp_path / 'empty.pth').touch()

    with pytest.raises(CheckpointError, match='empty.pth is incomplete or damaged'):
        read_checkpoint_file(tmp_path / 'empty.pth')


def test_read_checkpoint_file__hostile_pickle__is_refused_unrun(tmp_path):
    trace = tmp_path / 'trace'

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(trace),)

    torch.save({'state_dict': Hostile()}, tmp_path / 'hostile.pth')
    (tmp_path / 'plain.pth').write_bytes(pickle.dumps(Hostile()))

    for name in ('hostile.pth', 'plain.pth'):
        with pytest.raises(CheckpointError, match='code, which is never run'):
            read_checkpoint_file(tmp_path / name)
    assert not trace.exists()
