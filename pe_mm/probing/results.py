"""Rows of results: one measured number a line, in a file that survives a kill."""

import fcntl
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pe_mm

from .row_fields import FIELDS

# Raised whenever a field is added, removed or changes its meaning.
_FORMAT = 'pe_mm result 1'
_START = b'{"format": "pe_mm result '

_NOT_IN_KEY = ('value', 'higher_is_better', 'versions', 'seconds')


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One number that a probe measured, and everything that fixes it.

    Args:
        task: What was probed, such as 'segmentation'; one panel in figures.
        metric: Name of the number, such as 'mIoU'.
        value: The number in the metric's unit; NaN where there is none, because the
            probe diverged or the metric is not defined.
        higher_is_better: Direction of the metric.
        layer: 0-based block id of the layer.
        num_layers: Blocks of the whole encoder.
        encoder: What figures and tables call the encoder. Other weights of the same
            variant need another label.
        variant: What was built: a name, or the settings of a custom one.
        weights: SHA-256 of the weights' file; None for random ones, of which the
            variant tells, and for those of a training per seed.
        config: Name or path of the config of the task's data.
        seed: What the probe's initialisation and the order of its data came from; None
            where nothing is random, as in zero-shot tracking.
        protocol: Name -> value of all else that fixes the number: probe, iterations,
            batch, learning rate, head, augmentation, evaluation. Not what follows from
            an encoder's patch size, such as a crop in pixels: that is the resolution.
        resolution: (height, width) in pixels of what the encoder sees.
        tokens: (height, width) of the map that the probe reads.
        versions: Package -> version.
        seconds: Wall time that this number took.

    Raises:
        ValueError: A field has another type or cannot be written as JSON, or the layer
            is none of the encoder's.
    """

    task: str
    metric: str
    value: float
    higher_is_better: bool
    layer: int
    num_layers: int
    encoder: str
    variant: Mapping[str, Any] | str
    weights: str | None
    config: str
    seed: int | None
    protocol: Mapping[str, Any]
    resolution: tuple[int, int]
    tokens: tuple[int, int]
    versions: Mapping[str, str]
    seconds: float

    def __post_init__(self) -> None:
        for name, (convert, allowed) in FIELDS.items():
            given = getattr(self, name)
            try:
                converted = convert(given)
            except (TypeError, ValueError) as error:
                raise ValueError(f'{name} must be {allowed}, got {given!r}') from error
            object.__setattr__(self, name, converted)
        if self.layer >= self.num_layers:
            raise ValueError(
                f'layer {self.layer} does not exist: {self.encoder} has blocks '
                f'0..{self.num_layers - 1} (counted from 0)'
            )

    @property
    def key(self) -> str:
        """What was measured, apart from what came out: equal for equal work."""
        names = (f.name for f in fields(self) if f.name not in _NOT_IN_KEY)
        return json.dumps({name: getattr(self, name) for name in names}, sort_keys=True)


def append_rows(path: str | Path, rows: Iterable[ResultRow]) -> None:
    """Add rows to a file, all or none of them; processes take turns.

    The rows are on the disk when this returns. What a killed process left of a row at
    the end of the file is removed.

    Args:
        path: A jsonl file; it and its folder are made if they are missing.
        rows: May be of any task and encoder.

    Raises:
        ValueError: The file holds something else; it is not touched.
        OSError: It cannot be written, or the disk is full; it is as it was before.
    """
    data = b''.join(_encode(row) for row in rows)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as file:
        content = _read_all(file)
        if not _may_start(content):
            raise ValueError(
                f'{path} does not hold results of pe_mm, so none are added to it; '
                'give another file'
            )
        end = len(content) - len(_torn_tail(content))
        os.ftruncate(file, end)
        if end and not content[:end].endswith(b'\n'):
            data = b'\n' + data
        try:
            _write_all(file, data)
        except OSError as error:
            os.ftruncate(file, end)
            reason = os.strerror(error.errno or 0)
            raise OSError(f'cannot add results to {path}: {reason}') from error


def read_rows(path: str | Path) -> list[ResultRow]:
    """Read a file of rows, without what a killed process left of its last one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is not JSON, lacks fields or has others, or was written in
            another format; names the line.
    """
    content = Path(path).read_bytes()
    content = content[: len(content) - len(_torn_tail(content))]
    return [
        _decode(line, f'{path}, line {number}')
        for number, line in enumerate(content.split(b'\n'), start=1)
        if line.strip()
    ]


def finished(rows: Iterable[ResultRow]) -> set[str]:
    """Return the keys of what is measured already.

    A sweep builds the row that it is about to measure, with NaN as the value, and skips
    the work if the row's key is among these.
    """
    return {row.key for row in rows}


def _encode(row: ResultRow) -> bytes:
    """Write a row as a line; JSON has no NaN, so that becomes null."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    if math.isnan(row.value):
        values['value'] = None
    return json.dumps({'format': _FORMAT, **values}, allow_nan=False).encode() + b'\n'


def _decode(line: bytes, place: str) -> ResultRow:
    """Read a line; `place` is what errors begin with."""
    try:
        content = json.loads(line)
    except ValueError as error:
        raise ValueError(
            f'{place}: not JSON ({error}); results have one JSON object a line'
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f'{place}: not a JSON object, so no result of pe_mm')
    written = content.pop('format', None)
    if written != _FORMAT:
        raise ValueError(
            f'{place}: the format is {written!r}, pe_mm {pe_mm.__version__} reads '
            f'{_FORMAT!r}'
        )
    names = {field.name for field in fields(ResultRow)}
    for what, wrong in (
        ('lacks', names - content.keys()),
        ('has unknown', content.keys() - names),
    ):
        if wrong:
            raise ValueError(f'{place}: {what} {", ".join(sorted(wrong))}')
    if content['value'] is None:
        content['value'] = math.nan
    try:
        return ResultRow(**content)
    except ValueError as error:
        raise ValueError(f'{place}: {error}') from error


@contextmanager
def _locked(path: str | Path) -> Iterator[int]:
    """Open a file for appending; others who do so wait until it is closed."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _read_all(file: int) -> bytes:
    with open(file, 'rb', closefd=False) as reader:
        return reader.read()


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
    os.fsync(file)


def _may_start(content: bytes) -> bool:
    """Tell whether this is the start of a row, be it cut short."""
    return content.startswith(_START) or _START.startswith(content)


def _torn_tail(content: bytes) -> bytes:
    """Return what the last line holds of a row that was not written to its end."""
    tail = content.rpartition(b'\n')[2]
    if not _may_start(tail):
        return b''
    try:
        json.loads(tail)
    except ValueError:
        return tail
    return b''
