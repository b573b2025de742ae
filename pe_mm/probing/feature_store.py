"""Features of all layers in files: announced, resumable, checksummed, never mixed up.

A store is a folder with one memory-mapped file per part, a layer's features or what the
losses need, of all images in order, and beside each the checksums of its chunks.
"""

import json
import math
import os
import shutil
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pe_mm.checkpoints.writing import atomic_file

# Images whose features are computed, checked and repeated together.
CHUNK = 16
POLL_SECONDS = 0.5
# Left free on the disk, whatever is stored.
_SPARE_BYTES = 1 << 28
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Part:
    """One array of a store.

    Attributes:
        shape: Of one image's entry.
        dtype: torch's name of it, such as 'float16'.
        origin: A hash of all that the numbers depend on.
        kind: What another origin would mean, for the message.
    """

    shape: tuple[int, ...]
    dtype: str
    origin: str
    kind: str

    @property
    def item_bytes(self) -> int:
        """Size of one image's entry."""
        return math.prod(self.shape) * self._torch_dtype.itemsize

    @property
    def _torch_dtype(self) -> torch.dtype:
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    def to_array(self, values: Tensor) -> NDArray:
        """Return the bits of a batch as integers; numpy has no bfloat16."""
        bits = _BITS[self._torch_dtype.itemsize]
        array: NDArray = values.cpu().to(self._torch_dtype).view(bits).numpy()
        return array

    def to_tensor(self, array: NDArray) -> Tensor:
        """Undo ``to_array``."""
        return torch.from_numpy(array).view(self._torch_dtype)

    @property
    def array_dtype(self) -> str:
        """Numpy's name of the integers."""
        return str(_BITS[self._torch_dtype.itemsize]).removeprefix('torch.')


class FeatureStore:
    """Arrays of all images on a disk.

    Nothing is written before ``allocate``. Processes may fill different chunks of one
    store at the same time.

    Args:
        root: The folder.
        count: Number of images.
        parts: Name -> array. Others that the folder has stay as they are.

    Raises:
        ValueError: The folder has one of the parts, of another encoder or other data.
    """

    def __init__(self, root: Path, count: int, parts: Mapping[str, Part]) -> None:
        self.root = root
        self.count = count
        self.parts = dict(parts)
        self.chunks = in_chunks(count)
        self._arrays: dict[str, NDArray] = {}
        self._sums: dict[str, NDArray] = {}
        for name, part in self.parts.items():
            self._check_origin(name, part)

    @property
    def missing_bytes(self) -> int:
        """What ``allocate`` would add to the disk."""
        new = [p for name, p in self.parts.items() if not self._facts(name).exists()]
        return self.count * sum(part.item_bytes for part in new)

    def check_space(self, planned: int = 0) -> None:
        """Make sure that the disk has room.

        Args:
            planned: Bytes that others will take of it before, and keep.

        Raises:
            ValueError: It has not; says how much is needed and how much is there.
        """
        free = free_bytes(self.root) - planned
        if self.missing_bytes > free - _SPARE_BYTES:
            raise ValueError(
                f'features of {self.count} images need {gib(self.missing_bytes)} in '
                f'{self.root}, but the disk has {gib(free)} free for them (0.25 GiB '
                'stay free); nothing was written. Take fewer layers or images, a '
                'smaller resolution, another disk with --store DIR, or --features '
                'compute'
            )

    def allocate(self, *, first: bool = True) -> None:
        """Reserve the disk for what is missing, and open all files.

        Args:
            first: False for a process that waits until another one has made the files.

        Raises:
            OSError: The disk is full; what was made is removed.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        made: list[Path] = []
        for name, part in self.parts.items():
            while not first and not self._facts(name).exists():
                time.sleep(POLL_SECONDS)
            if not self._facts(name).exists():
                made += [self._data(name), self._checks(name), self._facts(name)]
                try:
                    self._reserve(self._data(name), self.count * part.item_bytes)
                    self._reserve(self._checks(name), 8 * len(self.chunks))
                except OSError:
                    for path in made:
                        path.unlink(missing_ok=True)
                    raise
                with atomic_file(self._facts(name)) as temporary:
                    temporary.write_text(json.dumps(self._describe(part)))
            self._arrays[name] = np.memmap(
                self._data(name),
                dtype=part.array_dtype,
                mode='r+',
                shape=(self.count, *part.shape),
            )
            self._sums[name] = np.memmap(
                self._checks(name), dtype='int64', mode='r+', shape=len(self.chunks)
            )

    def verify(self, numbers: Iterable[int]) -> None:
        """Forget what chunks hold that does not agree with its checksum."""
        for number in numbers:
            for name, sums in self._sums.items():
                if sums[number] and sums[number] != self._checksum(name, number):
                    sums[number] = 0

    def holds(self, number: int) -> bool:
        """Tell whether a chunk is whole, and agrees with its checksums."""
        return all(
            sums[number] and sums[number] == self._checksum(name, number)
            for name, sums in self._sums.items()
        )

    def missing(self, number: int) -> list[str]:
        """Name the parts that a chunk lacks."""
        return [name for name, sums in self._sums.items() if not sums[number]]

    def write(self, number: int, values: Mapping[str, Tensor]) -> None:
        """Fill parts of a chunk; it counts when this returns."""
        chunk = self.chunks[number]
        for name, tensor in values.items():
            self._arrays[name][chunk.start : chunk.stop] = self.parts[name].to_array(
                tensor
            )
            self._sums[name][number] = self._checksum(name, number)

    def read(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Return all parts of the images of these numbers, in their order."""
        return {
            name: part.to_tensor(self._arrays[name][list(indices)])
            for name, part in self.parts.items()
        }

    def _checksum(self, name: str, number: int) -> int:
        chunk = self.chunks[number]
        values = self._arrays[name][chunk.start : chunk.stop]
        # 0 says that a chunk is missing.
        return 1 + zlib.crc32(np.ascontiguousarray(values).data.cast('B'))

    def _check_origin(self, name: str, part: Part) -> None:
        if not self._facts(name).exists():
            return
        try:
            found = json.loads(self._facts(name).read_text())
        except ValueError:
            found = {}
        if found != self._describe(part):
            raise ValueError(
                f'{self.root} holds {name} of {part.kind}; nothing was changed. Give '
                'another folder with --store DIR, or delete this one'
            )

    def _describe(self, part: Part) -> dict[str, object]:
        facts = {**asdict(part), 'shape': list(part.shape), 'count': self.count}
        facts.pop('kind')
        return {**facts, 'chunk': CHUNK}

    def _reserve(self, path: Path, size: int) -> None:
        try:
            with path.open('wb') as file:
                # Where a mapped file finds the disk full, the process is killed.
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise OSError(f'cannot reserve {gib(size)} in {path}: {reason}') from error

    def _data(self, name: str) -> Path:
        return self.root / f'{name}.bin'

    def _checks(self, name: str) -> Path:
        return self.root / f'{name}.checks'

    def _facts(self, name: str) -> Path:
        return self.root / f'{name}.json'


def in_chunks(count: int) -> list[range]:
    """Cut image numbers into the batches that are stored and measured together."""
    return [range(n, min(n + CHUNK, count)) for n in range(0, count, CHUNK)]


def free_bytes(path: Path) -> int:
    """Return what is free on the disk of a folder that may not exist yet."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def gib(size: int) -> str:
    """Write a size for people."""
    return f'{size / 2**30:.2f} GiB'
