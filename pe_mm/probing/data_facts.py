"""What rows and stores know of data: hashes of its files and of how they are read."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .probe_task import ProbeImages


def digest(facts: Any) -> str:
    """Return a SHA-256 of what JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def sizes(paths: Iterable[str | Path], root: str | Path) -> list[tuple[str, int]]:
    """Return the names of files in a folder, and their bytes.

    They are the same wherever the folder is, and whenever it was copied.
    """
    return [(os.path.relpath(path, root), os.stat(path).st_size) for path in paths]


def dates(paths: Iterable[str | Path]) -> list[int]:
    """Return when files were changed, in nanoseconds."""
    return [os.stat(path).st_mtime_ns for path in paths]


def describe_data(
    train: ProbeImages, val: ProbeImages, evaluator: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the protocol of a task says of its data.

    Args:
        train: Images to learn from.
        val: Images to measure on.
        evaluator: Of the config of the data, if it has one.

    Returns:
        'images', how many there are, and 'data', a hash that is another one for other
        files, labels or settings, but not for another place or resolution.
    """
    settings = {k: v for k, v in (evaluator or {}).items() if k != 'ann_file'}
    facts = [train.identity(), val.identity(), repr(sorted(settings.items()))]
    return {'images': [len(train), len(val)], 'data': digest(facts)[:12]}
