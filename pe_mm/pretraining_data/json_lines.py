"""Files of one JSON object per line, of which few are held in memory."""

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any


class JsonLines:
    """The objects in a jsonl file; memory holds only where their lines begin.

    Args:
        path: The file; empty lines are passed over.
        check: Called with every object; raises ValueError for what is wrong in it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is empty, or a line is wrong; says which and what.
    """

    def __init__(
        self, path: Path, check: Callable[[dict[str, Any]], object] = lambda _: None
    ) -> None:
        if not path.is_file():
            raise FileNotFoundError(
                f'{path} does not exist; give a jsonl file with one sample per line, '
                'and data_root, if its name is relative to that'
            )
        self._path = path
        self._starts = array('q')
        start = 0
        with path.open('rb') as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    try:
                        check(_parse(line))
                    except ValueError as error:
                        raise ValueError(f'{path}, line {number}: {error}') from error
                    self._starts.append(start)
                start += len(line)
        if not self._starts:
            raise ValueError(f'{path} is empty; it needs one sample per line')

    def __len__(self) -> int:
        """Count the objects."""
        return len(self._starts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Read one object."""
        with self._path.open('rb') as file:
            file.seek(self._starts[index])
            return _parse(file.readline())


def read_captions(record: dict[str, Any]) -> list[str]:
    """Return the captions of a sample.

    Raises:
        ValueError: There is none, or one is no text.
    """
    captions = record.get('captions', record.get('caption'))
    if isinstance(captions, str):
        captions = [captions]
    if not isinstance(captions, list) or not captions:
        raise ValueError(
            'captions are missing: give "caption": "..." or "captions": ["...", ...]; '
            f'there are {sorted(record)}'
        )
    for caption in captions:
        if not isinstance(caption, str) or not caption.strip():
            raise ValueError(f'{caption!r} is no caption')
    return captions


def _parse(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ValueError(f'no JSON: {error}') from error
    if not isinstance(record, dict):
        raise ValueError(f'expected a JSON object {{...}}, got {record!r:.60}')
    return record
