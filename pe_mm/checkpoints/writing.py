"""Write files so that they appear complete or not at all."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from pe_mm.checkpoints.errors import CheckpointError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place on success.

    Whatever is raised while it is written goes through, and nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f'.{path.name}.', suffix='.partial'
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open('r+b') as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        # mkstemp's files are private; give the rights that open() would have given.
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def make_out_folder(root: Path) -> None:
    """Make a command's folder of results, before the work whose results it gets.

    Raises:
        OSError: It cannot be made or written to, or it is a file.
    """
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(f'--out {root} is a file; give a folder')
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise OSError(
            f'--out {root} cannot be written to: {os.strerror(error.errno or 0)}; '
            'give a folder that you own'
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file as ``atomic_file`` does, with one error for all that can fail.

    Raises:
        CheckpointError: The file cannot be written; nothing is left behind.
    """
    try:
        with atomic_file(path) as temporary:
            yield temporary
    # A full disk is a RuntimeError in torch's writer.
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().split('\n')[0]
        raise CheckpointError(f'could not write {path}: {reason}') from error


def save_checkpoint(
    path: Path, tensors: Mapping[str, Tensor], *, meta: Mapping[str, Any] | None = None
) -> None:
    """Write tensors as safetensors or with torch.save, by the suffix.

    Args:
        path: File to write; missing folders are made, an existing file is replaced.
        tensors: Name -> tensor.
        meta: Facts about the weights. With them a torch file holds
            ``{'state_dict': ..., 'meta': ...}`` and a safetensors file has them in its
            header; without them it holds the tensors alone.

    Raises:
        CheckpointError: The file cannot be written.
    """
    owned = {name: _own_memory(tensor) for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        if path.suffix == '.safetensors':
            facts = {key: str(value) for key, value in (meta or {}).items()}
            save_file(owned, temporary, metadata={'format': 'pt', **facts})
        elif meta is None:
            torch.save(owned, temporary)
        else:
            torch.save({'state_dict': owned, 'meta': dict(meta)}, temporary)


def _own_memory(tensor: Tensor) -> Tensor:
    """Return the tensor with a storage of its own size: torch.save writes storages.

    The storage is a part of the old one where possible: a model whose tensors share one
    would be in memory a second time otherwise.
    """
    tensor = tensor.detach().contiguous()
    storage = tensor.untyped_storage()
    if storage.nbytes() == tensor.nbytes:
        return tensor
    start = tensor.storage_offset() * tensor.element_size()
    part = storage[start : start + tensor.nbytes]
    return tensor.new_empty(0).set_(part, 0, tensor.shape, tensor.stride())
