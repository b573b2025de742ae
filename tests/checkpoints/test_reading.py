import os
import pickle
import threading

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
    (root / 'refs').mkdir(parents=True)
    (root / 'refs' / revision).write_text('0' * 40)
    (snapshot / file).parent.mkdir(parents=True)
    torch.save(STATE, snapshot / file)


def assert_is_state(content):
    assert set(content) == set(STATE)
    for key, tensor in STATE.items():
        torch.testing.assert_close(content[key], tensor, rtol=0, atol=0)


@pytest.mark.parametrize('suffix', ['.pt', '.pth', '.bin', '.safetensors', '.ckpt'])
def test_read__torch_and_safetensors_files__give_the_tensors(tmp_path, suffix):
    path = tmp_path / f'weights{suffix}'
    save_file(STATE, path) if suffix == '.safetensors' else torch.save(STATE, path)
    assert_is_state(read_checkpoint(path))
    assert_is_state(read_checkpoint(str(path)))


def test_read__safetensors_under_a_torch_name__is_told_by_its_content(tmp_path):
    save_file(STATE, tmp_path / 'weights.bin')
    assert_is_state(read_checkpoint(tmp_path / 'weights.bin'))


def test_read__old_torch_format__is_read(tmp_path):
    torch.save(STATE, tmp_path / 'w.pth', _use_new_zipfile_serialization=False)
    assert_is_state(read_checkpoint(tmp_path / 'w.pth'))


def test_read__dict__is_returned_as_it_is():
    assert read_checkpoint(STATE) is STATE


def test_read__module_instead_of_its_state_dict__is_an_error():
    with pytest.raises(TypeError, match='a path, .* or a state dict, got Linear'):
        read_checkpoint(torch.nn.Linear(1, 1))


def test_read__mmengine_message_hub__is_allowed(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    hub = {'loss': history, 'time': np.float64(0.5)}
    torch.save({'state_dict': STATE, 'message_hub': hub}, tmp_path / 'epoch_1.pth')
    assert_is_state(read_checkpoint(tmp_path / 'epoch_1.pth')['state_dict'])


def test_read__missing_file__names_the_nearest(weights):
    with pytest.raises(
        FileNotFoundError, match=r'weight\.pt; nearest there: weights\.pt'
    ):
        read_checkpoint(weights.with_name('weight.pt'))
    with pytest.raises(CheckpointError, match='folder .*nowhere does not exist'):
        read_checkpoint(weights.parent / 'nowhere' / 'weights.pt')


def test_read__folder__is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match='is a folder; pass a file in it'):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize('kept', [0.02, 0.5, 0.99])
@pytest.mark.parametrize('kind', ['zip', 'legacy', 'safetensors'])
def test_read__truncated_file__is_an_error(tmp_path, kind, kept):
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
        (b'version https://git-lfs.github.com/spec/v1\n', 'Git LFS pointer'),
    ],
)
def test_read__not_a_checkpoint__says_what_it_is(tmp_path, content, message):
    (tmp_path / 'weights.pt').write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / 'weights.pt')


def test_read__list_of_tensors__is_an_error(tmp_path):
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
def test_read__pickled_code__is_refused_and_not_run(tmp_path, save):
    trace = tmp_path / 'trace'
    save({'state_dict': STATE, 'x': Malicious(trace)}, tmp_path / 'weights.pt')
    with pytest.raises(CheckpointError, match='refused to run pickled code'):
        read_checkpoint(tmp_path / 'weights.pt')
    assert not trace.exists()


def test_read__pickled_module__names_the_refused_type(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / 'model.pt')
    with pytest.raises(CheckpointError, match=r'asks for torch\.nn\.\S*Linear'):
        read_checkpoint(tmp_path / 'model.pt')


@pytest.mark.parametrize(
    'address', ['https://host/weights.pt', 'hf://owner/repo', 's3://bucket/weights.pt']
)
def test_read__unknown_address__says_which_are_known(address):
    with pytest.raises(CheckpointError, match=r'hf://owner/repo/file'):
        read_checkpoint(address)


@pytest.mark.parametrize(
    ('address', 'file', 'revision'),
    [
        (ADDRESS, 'weights.pt', 'main'),
        ('hf://owner/repo:weights.pt', 'weights.pt', 'main'),
        ('hf://owner/repo/sub/weights.pt', 'sub/weights.pt', 'main'),
        ('hf://owner/repo@v2/weights.pt', 'weights.pt', 'v2'),
    ],
)
def test_hub__cached_file__is_read_offline(hub, address, file, revision):
    cache(hub, file=file, revision=revision)
    assert_is_state(read_checkpoint(address))


def test_hub__offline_and_not_cached__says_how_to_go_on(hub):
    with pytest.raises(
        CheckpointError,
        match=r'HF_HUB_OFFLINE is set; unset it, or download weights\.pt',
    ):
        read_checkpoint(ADDRESS)


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
def test_hub__failing_download__has_one_clear_message(hub, monkeypatch, error, message):
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)

    def download(*args, local_files_only=False, **kwargs):
        raise hub_errors.LocalEntryNotFoundError('x') if local_files_only else error

    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(ADDRESS)


@pytest.mark.parametrize('fails', [False, True])
def test_hub__two_processes__the_first_downloads_before_the_other(
    monkeypatch, tmp_path, fails
):
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
