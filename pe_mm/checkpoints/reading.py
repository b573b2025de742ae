"""Read checkpoint files safely, from a path or from the Hugging Face hub."""

import difflib
import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import huggingface_hub
import torch
from huggingface_hub import errors as hub_errors
from mmengine import dist
from mmengine.logging import print_log
from safetensors import SafetensorError
from safetensors.torch import load_file

from pe_mm.checkpoints.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    listing,
    shorten,
)

Source = str | os.PathLike[str] | Mapping[str, Any]

# hf://owner/repo[@revision]/file, and Meta's spelling hf://owner/repo:file
_HUB = re.compile(
    r'hf://(?P<repo>[^/:@]+/[^/:@]+)'
    r'(?:@(?P<revision>refs/(?:pr|convert)/[^/:]+|[^/:]+))?[/:](?P<file>.+)'
)
# How torch names a type that safe loading refuses, in its several messages.
_REFUSED_GLOBAL = re.compile(r'GLOBAL:? ([\w.]+)')


def read_checkpoint(source: Source) -> Mapping[str, Any]:
    """Read a checkpoint into CPU memory without running code from it.

    Files are memory-mapped where their format allows it, so that a tensor takes memory
    when it is used.

    Args:
        source: Path of a torch (.pt, .pth, .bin) or safetensors file, the hub's
            ``hf://owner/repo[@revision]/file``, or a dict, which is returned as it is.
            A file of the hub that is in the local cache is used without asking the hub.
            Slashes in a revision are written ``%2F``, but for ``refs/pr/1``.

    Returns:
        The dict in the file.

    Raises:
        CheckpointNotFoundError: There is no such file.
        CheckpointError: The file cannot be opened, is truncated, is no checkpoint, or
            holds pickled code; or the hub's file cannot be had.
        TypeError: ``source`` is neither a path nor a dict.
    """
    if isinstance(source, Mapping):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            'source must be a path, an hf:// address or a state dict, '
            f'got {type(source).__name__}'
        )
    path = fetch(source)
    try:
        _check_file(path)
        read = _read_safetensors if _is_safetensors(path) else _read_torch
        content = read(path)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(
            f'cannot read {shorten(str(path))}: {error.strerror or error}'
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f'{path} holds a {type(content).__name__}, not a state dict; '
            'save model.state_dict()'
        )
    return content


def fetch(source: str | os.PathLike[str]) -> Path:
    """Return a source's local path; ``hf://`` files are downloaded once and cached.

    With several processes the first one of each machine downloads, the others wait.

    Raises:
        CheckpointError: The address is malformed, or the hub's file cannot be had.
    """
    address = os.fspath(source)
    if '://' not in address:
        return _local_path(address)
    match = _HUB.fullmatch(address)
    if match is None:
        raise CheckpointError(
            f'cannot read {shorten(address)!r}: a source is a local path, '
            'hf://owner/repo/file or hf://owner/repo@revision/file'
        )
    wanted = match.groupdict()
    if wanted['revision']:
        wanted['revision'] = unquote(wanted['revision'])
    if dist.get_world_size() == 1:
        return _from_hub(**wanted)
    if int(os.environ.get('LOCAL_RANK', dist.get_rank())) != 0:
        dist.barrier()
        return _from_hub(**wanted)
    try:
        return _from_hub(**wanted)
    finally:
        # Also after a failure: the others must not wait for ever, and will report it.
        dist.barrier()


def _from_hub(repo: str, file: str, revision: str | None) -> Path:
    by_hand = (
        f"download {file} by hand and give its path: checkpoint='path/to/{file}' in a "
        f'config, --weights path/to/{file} on the command line'
    )
    try:
        try:
            return Path(
                huggingface_hub.hf_hub_download(
                    repo, file, revision=revision, local_files_only=True
                )
            )
        except hub_errors.LocalEntryNotFoundError:
            if not huggingface_hub.constants.HF_HUB_OFFLINE:
                print_log(
                    f'downloading {file} of {repo} from the Hugging Face hub, once '
                    '(HF_HUB_OFFLINE=1 forbids downloads)',
                    logger='current',
                )
            return Path(huggingface_hub.hf_hub_download(repo, file, revision=revision))
    except hub_errors.LocalEntryNotFoundError as error:
        offline = huggingface_hub.constants.HF_HUB_OFFLINE
        reason = 'HF_HUB_OFFLINE is set' if offline else 'the hub cannot be reached'
        raise CheckpointError(
            f'{file} of {repo} is not in the local cache and {reason}; '
            f'{"unset it, or " if offline else "try again, or "}{by_hand}'
        ) from error
    except (hub_errors.RepositoryNotFoundError, hub_errors.HFValidationError) as error:
        raise CheckpointError(
            f'the hub has no repository {repo!r} that you may read (gated ones need '
            f'`hf auth login`); check the name, or {by_hand}'
        ) from error
    except (hub_errors.RevisionNotFoundError, hub_errors.EntryNotFoundError) as error:
        at = f' at revision {revision!r}' if revision else ''
        raise CheckpointError(f'{repo} has no file {file!r}{at} on the hub') from error
    except (OSError, hub_errors.HTTPError, hub_errors.OfflineModeIsEnabled) as error:
        reason = str(error).strip().split('\n')[0]
        raise CheckpointError(
            f'could not download {file} of {repo}: {reason}; try again, or {by_hand}'
        ) from error


def _local_path(address: str) -> Path:
    if not address:
        raise CheckpointError(
            'the source is empty; pass a path, hf://owner/repo/file or a state dict'
        )
    try:
        return Path(address).expanduser()
    except RuntimeError as error:
        raise CheckpointError(f'cannot read {shorten(address)}: {error}') from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise CheckpointError(f'{path} is a folder; pass a file in it')
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise CheckpointNotFoundError(
                f'no checkpoint {path}: the folder {folder} does not exist'
            )
        names = [entry.name for entry in folder.iterdir() if entry.is_file()]
        near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
        hint = f'nearest there: {", ".join(near)}' if near else 'no similar name there'
        raise CheckpointNotFoundError(f'no checkpoint {path}; {hint}')
    if path.stat().st_size == 0:
        raise CheckpointError(f'{path} is empty; download or copy it again')


def _is_safetensors(path: Path) -> bool:
    """Tell by the content: safetensors starts with its header's length, then JSON."""
    with path.open('rb') as file:
        return file.read(9)[8:] == b'{' or path.suffix == '.safetensors'


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(
            f'{path} is truncated or no safetensors file ({error}); '
            'download or copy it again'
        ) from error


def _read_torch(path: Path) -> Any:
    with path.open('rb') as file:
        start = file.read(64)
    zipped = start.startswith(b'PK')
    foreign = _foreign_archive(path) if zipped else None
    if foreign is not None:
        raise CheckpointError(f'{path} is not a checkpoint: {foreign}')
    if not zipped and not start.startswith(b'\x80'):
        raise CheckpointError(f'{path} is not a checkpoint: {_looks_like(start)}')
    try:
        return torch.load(path, map_location='cpu', weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        refused = _REFUSED_GLOBAL.search(str(error))
        wish = refused[1] if refused else 'objects that torch.save does not write'
        raise CheckpointError(
            f'refused to run pickled code in {path}: it asks for {wish}, and a '
            'checkpoint may hold tensors and plain data only. Save model.state_dict() '
            'where the model was made, or get the weights as safetensors'
        ) from error
    # The bytes of a damaged file decide what is raised: IndexError, MemoryError, ...
    except Exception as error:
        reason = str(error).strip().split('\n')[0][:200]
        reason = f'{type(error).__name__}: {reason}' if reason else type(error).__name__
        raise CheckpointError(
            f'{path} is truncated or not a checkpoint ({reason}); '
            'download or copy it again'
        ) from error


def _foreign_archive(path: Path) -> str | None:
    """Say what a zip file is that torch.save did not write; None if it may have."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    # Damaged: torch.load is to say how.
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return None
    if any(name.endswith('/constants.pkl') for name in names):
        return (
            "it is a TorchScript program, as OpenAI's CLIP is published; if you trust "
            'it, save torch.jit.load(path).state_dict() with torch.save'
        )
    if any(name.endswith('.npy') for name in names):
        return 'it is a numpy archive (.npz); save its arrays as a dict of tensors'
    if not any(name.endswith('/data.pkl') for name in names):
        return f'it is a zip archive of {listing(names, 3)}; unpack it'
    return None


def _looks_like(start: bytes) -> str:
    text = start.lstrip().lower()
    if start.startswith(b'\x93NUMPY'):
        return 'it is a numpy array (.npy)'
    if start.startswith(b'\x1f\x8b'):
        return 'it is compressed with gzip; unpack it'
    if text.startswith(b'version https://git-lfs'):
        return 'it is a Git LFS pointer; run `git lfs pull`'
    if text.startswith((b'<!doctype', b'<html', b'<?xml')):
        return 'it is a web page; the download went wrong'
    return f'it starts with {start[:16]!r}'
