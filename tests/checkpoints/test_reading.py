"""Files and hub addresses are read safely, or refused with the reason."""

import os
import pickle
import random
import threading
import zipfile
from contextlib import suppress

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub import errors as hub_errors
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from pe_mm.checkpoints import CheckpointError, read_checkpoint, reading

STATE = {'weight': torch.arange(6.0).reshape(2, 3), 'bias': torch.ones(4).bfloat16()}
ADDRESS = 'hf://owner/repo/weights.pt'


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / 'weights.pt'
    torch.save(STATE, path)
    return path


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Redirect the hub's cache to an empty folder, and forbid the network."""
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    return tmp_path / 'hub'


def cache(hub, repo='owner--repo', file='weights.pt', revision='main'):
    root = hub / f'models--{repo}'
    snapshot = root / 'snapshots' / ('0' * 40)
    (root / 'refs' / revision).parent.mkdir(parents=True)
    (root / 'refs' / revision).write_text('0' * 40)
    (snapshot / file).parent.mkdir(parents=True)
    torch.save(STATE, snapshot / file)


def assert_is_state(content) -> None:
    assert set(content) == set(STATE)
    for key, tensor in STATE.items():
        torch.testing.assert_close(content[key], tensor, rtol=0, atol=0)


@pytest.mark.parametrize('suffix', ['.pt', '.pth', '.bin', '.safetensors', '.ckpt'])
def test_read__torch_and_safetensors_files__give_the_tensors(tmp_path, suffix) -> None:
    path = tmp_path / f'weights{suffix}'
    save_file(STATE, path) if suffix == '.safetensors' else torch.save(STATE, path)
    assert_is_state(read_checkpoint(path))
    assert_is_state(read_checkpoint(str(path)))


def test_read__safetensors_under_a_torch_name__is_told_by_its_content(tmp_path) -> None:
    save_file(STATE, tmp_path / 'weights.bin')
    assert_is_state(read_checkpoint(tmp_path / 'weights.bin'))


def test_read__old_torch_format__is_read(tmp_path) -> None:
    torch.save(STATE, tmp_path / 'w.pth', _use_new_zipfile_serialization=False)
    assert_is_state(read_checkpoint(tmp_path / 'w.pth'))


def test_read__dict__is_returned_as_it_is() -> None:
    assert read_checkpoint(STATE) is STATE


def test_read__module_instead_of_its_state_dict__is_an_error() -> None:
    with pytest.raises(TypeError, match='a path, .* or a state dict, got Linear'):
        read_checkpoint(torch.nn.Linear(1, 1))


def test_read__mmengine_message_hub__is_allowed(tmp_path) -> None:
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    hub = {'loss': history, 'time': np.float64(0.5)}
    torch.save({'state_dict': STATE, 'message_hub': hub}, tmp_path / 'epoch_1.pth')
    assert_is_state(read_checkpoint(tmp_path / 'epoch_1.pth')['state_dict'])


def test_read__missing_file__names_the_nearest(weights) -> None:
    with pytest.raises(
        FileNotFoundError, match=r'weight\.pt; nearest there: weights\.pt'
    ):
        read_checkpoint(weights.with_name('weight.pt'))
    with pytest.raises(CheckpointError, match='folder .*nowhere does not exist'):
        read_checkpoint(weights.parent / 'nowhere' / 'weights.pt')


def test_read__folder__is_an_error(tmp_path) -> None:
    with pytest.raises(CheckpointError, match='is a folder; pass a file in it'):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize('kept', [0.02, 0.5, 0.99])
@pytest.mark.parametrize('kind', ['zip', 'legacy', 'safetensors'])
def test_read__truncated_file__is_an_error(tmp_path, kind, kept) -> None:
    path = tmp_path / 'weights'
    state = {'weight': torch.zeros(5000)}
    if kind == 'safetensors':
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == 'zip')
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(CheckpointError, match='truncated.*download or copy it again'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'is empty; download'),
        (b'just text', "not a checkpoint: it starts with b'just text'"),
        (b'<!DOCTYPE html><html></html>', 'it is a web page'),
        (b'\x93NUMPY\x01\x00', 'it is a numpy array'),
        (b'\x1f\x8b\x08\x00', 'it is compressed with gzip'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'Git LFS pointer'),
    ],
)
def test_read__not_a_checkpoint__says_what_it_is(tmp_path, content, message) -> None:
    (tmp_path / 'weights.pt').write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / 'weights.pt')


def save_zip(path) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('weights/readme.txt', 'text')


@pytest.mark.parametrize(
    ('save', 'message'),
    [
        (
            lambda path: torch.jit.save(torch.jit.script(torch.nn.ReLU()), path),
            r'a TorchScript program.*torch\.jit\.load\(path\)\.state_dict\(\)',
        ),
        (lambda path: np.savez(path.open('wb'), a=np.zeros(2)), 'a numpy archive'),
        (save_zip, r'a zip archive of weights/readme\.txt; unpack it'),
    ],
    ids=['torchscript', 'npz', 'zip'],
)
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_read__archive_of_another_kind__says_which(tmp_path, save, message) -> None:
    save(tmp_path / 'weights.pt')
    with pytest.raises(CheckpointError, match=f'is not a checkpoint: it is {message}'):
        read_checkpoint(tmp_path / 'weights.pt')


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_read__cut_or_changed_anywhere__is_an_error_or_read(tmp_path, legacy) -> None:
    path = tmp_path / 'weights.pt'
    torch.save(STATE, path, _use_new_zipfile_serialization=not legacy)
    data = path.read_bytes()
    make = random.Random(0)
    for _ in range(100):
        path.write_bytes(data[: make.randrange(1, len(data) - 1)])
        with pytest.raises(CheckpointError):
            read_checkpoint(path)
        changed = bytearray(data)
        for _ in range(5):
            changed[make.randrange(len(data))] = make.randrange(256)
        path.write_bytes(changed)
        with suppress(CheckpointError):
            read_checkpoint(path)


@pytest.mark.parametrize(
    'error', [IndexError('x'), TypeError('x'), AttributeError('x'), MemoryError()]
)
def test_read__whatever_torch_raises__is_one_kind_of_error(
    weights, monkeypatch, error
) -> None:
    def load(*args, **kwargs):
        raise error

    monkeypatch.setattr(torch, 'load', load)
    with pytest.raises(CheckpointError, match=rf'\({type(error).__name__}'):
        read_checkpoint(weights)


@pytest.mark.parametrize(
    ('path', 'message'),
    [
        ('', r'source is empty; pass a path'),
        ('a' * 5000, r'cannot read a+\.\.\.a+: File name too long'),
        ('~no-such-user/w.pt', 'cannot read ~no-such-user.*home directory'),
    ],
    ids=['empty', 'long', 'user'],
)
def test_read__impossible_path__is_one_short_message(path, message) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        read_checkpoint(path)
    assert len(str(caught.value)) < 300


def test_read__list_of_tensors__is_an_error(tmp_path) -> None:
    torch.save([torch.zeros(1)], tmp_path / 'weights.pt')
    with pytest.raises(CheckpointError, match='holds a list, not a state dict'):
        read_checkpoint(tmp_path / 'weights.pt')


class Malicious:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize(
    'save',
    [
        lambda content, path: torch.save(content, path),
        lambda content, path: torch.save(
            content, path, _use_new_zipfile_serialization=False
        ),
        lambda content, path: path.write_bytes(pickle.dumps(content)),
        lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2)),
    ],
    ids=['zip', 'legacy', 'pickle', 'pickle2'],
)
def test_read__pickled_code__is_refused_and_not_run(tmp_path, save) -> None:
    trace = tmp_path / 'trace'
    save({'state_dict': STATE, 'x': Malicious(trace)}, tmp_path / 'weights.pt')
    with pytest.raises(CheckpointError, match='refused to run pickled code'):
        read_checkpoint(tmp_path / 'weights.pt')
    assert not trace.exists()


def test_read__pickled_module__names_the_refused_type(tmp_path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / 'model.pt')
    with pytest.raises(CheckpointError, match=r'asks for torch\.nn\.\S*Linear'):
        read_checkpoint(tmp_path / 'model.pt')


@pytest.mark.parametrize(
    'address', ['https://host/weights.pt', 'hf://owner/repo', 's3://bucket/weights.pt']
)
def test_read__unknown_address__says_which_are_known(address) -> None:
    with pytest.raises(CheckpointError, match=r'hf://owner/repo/file'):
        read_checkpoint(address)


@pytest.mark.parametrize(
    ('address', 'file', 'revision'),
    [
        (ADDRESS, 'weights.pt', 'main'),
        ('hf://owner/repo:weights.pt', 'weights.pt', 'main'),
        ('hf://owner/repo/sub/weights.pt', 'sub/weights.pt', 'main'),
        ('hf://owner/repo@v2/weights.pt', 'weights.pt', 'v2'),
        ('hf://owner/repo@refs/pr/1/weights.pt', 'weights.pt', 'refs/pr/1'),
        ('hf://owner/repo@refs%2Fpr%2F1/weights.pt', 'weights.pt', 'refs/pr/1'),
        ('hf://owner/repo@my%2Fbranch/sub/w.pt', 'sub/w.pt', 'my/branch'),
    ],
)
def test_hub__cached_file__is_read_offline(hub, address, file, revision) -> None:
    cache(hub, file=file, revision=revision)
    assert_is_state(read_checkpoint(address))


def test_hub__offline_and_not_cached__says_how_to_go_on(hub) -> None:
    with pytest.raises(
        CheckpointError,
        match=r'HF_HUB_OFFLINE is set; unset it, or download weights\.pt',
    ):
        read_checkpoint(ADDRESS)


def test_hub__download__is_announced_before_it_starts(
    hub, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
    torch.save(STATE, tmp_path / 'w.pt')
    events = []

    def download(*args, local_files_only=False, **kwargs):
        if local_files_only:
            raise hub_errors.LocalEntryNotFoundError('x')
        events.append('download')
        return str(tmp_path / 'w.pt')

    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
    monkeypatch.setattr(reading, 'print_log', lambda text, **_: events.append(text))
    assert_is_state(read_checkpoint(ADDRESS))
    assert events == [
        'downloading weights.pt of owner/repo from the Hugging Face hub, once '
        '(HF_HUB_OFFLINE=1 forbids downloads)',
        'download',
    ]


def hub_error(kind):
    # Its __init__ wants a response of the HTTP client, which changed between versions.
    error = kind.__new__(kind)
    error.args = ('Not found',)
    return error


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (hub_errors.LocalEntryNotFoundError('x'), 'the hub cannot be reached.*by hand'),
        (hub_error(hub_errors.RepositoryNotFoundError), "no repository 'owner/repo'"),
        (hub_error(hub_errors.RemoteEntryNotFoundError), "no file 'weights.pt'"),
        (hub_errors.HFValidationError('bad name'), "no repository 'owner/repo'"),
        (hub_error(hub_errors.HfHubHTTPError), 'could not download.*Not found'),
        (OSError(28, 'No space left on device'), 'could not.*No space left'),
    ],
)
def test_hub__failing_download__has_one_clear_message(
    hub, monkeypatch, error, message
) -> None:
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)

    def download(*args, local_files_only=False, **kwargs):
        raise hub_errors.LocalEntryNotFoundError('x') if local_files_only else error

    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(ADDRESS)


@pytest.mark.parametrize('fails', [False, True])
def test_hub__two_processes__the_first_downloads_before_the_other(
    monkeypatch, tmp_path, fails
) -> None:
    barrier, calls = threading.Barrier(2, timeout=10), []
    rank = threading.local()

    def from_hub(**_):
        calls.append(rank.value)
        if fails:
            raise CheckpointError('no network')
        return tmp_path

    monkeypatch.setattr(reading, '_from_hub', from_hub)
    monkeypatch.setattr(reading.dist, 'get_world_size', lambda: 2)
    monkeypatch.setattr(reading.dist, 'get_rank', lambda: rank.value)
    monkeypatch.setattr(reading.dist, 'barrier', barrier.wait)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    results = {}

    def process(value):
        rank.value = value
        try:
            results[value] = reading.fetch(ADDRESS)
        except CheckpointError as error:
            results[value] = str(error)

    threads = [threading.Thread(target=process, args=(value,)) for value in (1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [0, 1]
    assert results == dict.fromkeys((0, 1), 'no network' if fails else tmp_path)
