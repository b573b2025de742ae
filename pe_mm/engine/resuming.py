"""Finding the checkpoint that an interrupted training continues from."""

import pickle
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pe_mm.checkpoints import CheckpointError

# What Runner.resume() reads without asking whether it is there.
_NEEDED = ('meta', 'state_dict', 'message_hub', 'optimizer')


def find_resumable_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the newest intact training checkpoint of a work directory.

    It is what ``last_checkpoint`` names, as mmengine writes it, unless that file is
    torn or missing, as after a full disk; then the newest checkpoint that is intact,
    with a warning that says why.

    Returns:
        The checkpoint's path, or None where there is nothing to continue from.
    """
    for path in list_checkpoints(Path(work_dir)):
        if path.is_dir():
            return path  # DeepSpeed's and FSDP's sharded checkpoints.
        try:
            read_training_checkpoint(path)
        except CheckpointError as error:
            _warn(f'{error}; trying an older checkpoint')
        else:
            return path
    _warn(f'no checkpoint to resume from in {work_dir}: training starts anew')
    return None


def read_training_checkpoint(path: str | Path) -> dict[str, Any]:
    """Load a checkpoint safely and make sure that training can continue from it.

    Raises:
        CheckpointError: As in ``read_checkpoint_file``, or the file holds weights
            without the state of the training.
    """
    checkpoint = read_checkpoint_file(path)
    missing = [key for key in _NEEDED if key not in checkpoint]
    if missing:
        raise CheckpointError(
            f'checkpoint {path} holds no {", ".join(missing)}, so training cannot '
            'continue from it; start from its weights with '
            f'--cfg-options load_from={path}'
        )
    return checkpoint


def read_checkpoint_file(path: str | Path) -> dict[str, Any]:
    """Load one of mmengine's checkpoint files without running code from it.

    Tensors are mapped, not read, so this costs little at any size.

    Raises:
        CheckpointError: The file is missing, torn or unsafe.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'checkpoint {path} does not exist')
    try:
        return torch.load(
            path, map_location='cpu', weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        reason = str(error).split('\n')[0]
        raise CheckpointError(
            f'checkpoint {path} is damaged, or holds code, which is never run: {reason}'
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        reason = str(error).split('\n')[0]
        raise CheckpointError(
            f'checkpoint {path} is incomplete or damaged: {reason}'
        ) from error


@contextmanager
def strict_loading(checkpoint: str) -> Iterator[Mapping[str, Any] | None]:
    """Check a file of weights, and name it if they are not the model's.

    Args:
        checkpoint: A file, or a URL that mmengine can load.

    Yields:
        What the file holds, None for a URL.

    Raises:
        CheckpointError: As in ``read_checkpoint_file``; the file holds no state dict;
            or what is done with it raises this or, as torch does, RuntimeError.
    """
    content = None if '://' in checkpoint else read_checkpoint_file(checkpoint)
    if content is not None and not isinstance(content, Mapping):
        raise CheckpointError(f'checkpoint {checkpoint} holds no state dict')
    try:
        yield content
    except (CheckpointError, RuntimeError) as error:
        raise CheckpointError(
            f'checkpoint {checkpoint} is not of the model in the config: {error}'
        ) from error


def list_checkpoints(work_dir: Path) -> list[Path]:
    """List the checkpoints of a training, what ``last_checkpoint`` names first."""
    candidates = [path for path in work_dir.glob('*.pth') if path.is_file()]
    candidates.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    # Best checkpoints are saved without the optimizer.
    candidates = [p for p in candidates if not p.name.startswith('best_')]
    pointer = work_dir / 'last_checkpoint'
    named = pointer.read_text().strip() if pointer.is_file() else ''
    if not named:
        return candidates
    last = Path(named)
    return [last, *(path for path in candidates if path.resolve() != last.resolve())]


def _warn(message: str) -> None:
    # There is no log yet; the work directory gets one with the runner.
    print(f'pe-mm: {message}', file=sys.stderr, flush=True)
