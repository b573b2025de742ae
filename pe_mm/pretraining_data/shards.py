"""Images and clips with captions in webdataset's tar shards."""

import json
import random
import re
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

from mmengine.dist import get_dist_info
from mmengine.registry import DATASETS
from torch import Tensor
from torch.utils.data import get_worker_info

from .decoding import (
    CorruptSampleError,
    decode_image,
    decode_video,
    spread_frames,
    stack_frames,
)
from .json_lines import read_captions
from .sample_dataset import PATIENCE, SampleDataset
from .seeded_sampler import SeededIndex, mix_seeds
from .text_folders import Pipeline

IMAGE_FORMATS = ('jpg', 'jpeg', 'png', 'webp')
VIDEO_FORMATS = ('mp4', 'webm', 'mkv', 'avi', 'mov')

_NUMBERED = re.compile(rf'\d+\.({"|".join(IMAGE_FORMATS)})')
# A tar file without members begins with this many zeros.
_BLOCK = 512


class _TextShards(SampleDataset):
    """A stream of shards that looks like a list, so that mmengine's loops take it.

    A place in the epoch only says that one more sample is wanted, and with what seed:
    ``sampler=dict(type='pe_mm.SeededSampler')`` is needed.
    """

    def __init__(
        self,
        shards: str | list[str],
        epoch_length: int,
        shuffle_buffer: int = 1000,
        pipeline: Pipeline = (),
    ) -> None:
        super().__init__(pipeline)
        if epoch_length < 1 or shuffle_buffer < 0:
            raise ValueError(
                'epoch_length must be at least 1 and shuffle_buffer at least 0, got '
                f'{epoch_length} and {shuffle_buffer}'
            )
        self._shards = find_shards(shards)
        self._length = epoch_length
        self._buffer = shuffle_buffer
        # Worker processes that are spawned do not know the process group.
        self._rank, self._world_size = get_dist_info()
        self._seed: int | None = None
        self._stream: Iterator[dict[str, Any]] = iter(())

    def __len__(self) -> int:
        """Return how many samples an epoch has, in all processes together."""
        return self._length

    @property
    def _patience(self) -> int:
        return PATIENCE

    def _load(self, index: int, attempt: int) -> dict[str, Any]:
        if not isinstance(index, SeededIndex):
            raise ValueError(
                f"{type(self).__name__} needs sampler=dict(type='pe_mm.SeededSampler') "
                'in its dataloader: others do not say with what seed to shuffle shards'
            )
        if index.epoch_seed != self._seed:
            self._seed = index.epoch_seed
            self._stream = self._open(self._seed)
        sample = next(self._stream)
        name = f'{Path(sample["__url__"]).stem}/{sample["__key__"]}'
        return self._item(self._decode(sample, name), name, _captions(sample, name))

    def _decode(self, sample: dict[str, Any], name: str) -> Tensor:
        raise NotImplementedError

    def _open(self, seed: int) -> Iterator[dict[str, Any]]:
        """Stream this process's samples without end, in an order that seed decides."""
        worker = get_worker_info()
        workers, number = (worker.num_workers, worker.id) if worker else (1, 0)
        part, parts = self._rank * workers + number, self._world_size * workers
        if len(self._shards) < parts:
            raise ValueError(
                f'{len(self._shards)} shards cannot be split over {self._world_size} '
                f'processes with {workers} workers each; give at least {parts} shards, '
                'or fewer workers (num_workers)'
            )
        for turn in count():
            order = list(self._shards)
            if self._buffer:
                # The same order in all processes, so that each shard is in one part.
                random.Random(mix_seeds(seed, turn)).shuffle(order)
            samples = self._read_shards(order[part::parts], mix_seeds(seed, turn, part))
            first = next(samples, None)
            if first is None:
                raise ValueError(f'there are no samples in {order[part::parts]}')
            yield first
            yield from samples

    def _read_shards(self, shards: list[str], seed: int) -> Iterator[dict[str, Any]]:
        """Read shards once, shuffled within the buffer."""
        from webdataset import shuffle
        from webdataset.tariterators import tarfile_samples

        samples: Iterator[dict[str, Any]] = chain.from_iterable(
            tarfile_samples([{'url': shard}], self._count_damage) for shard in shards
        )
        if self._buffer:
            samples = shuffle(self._buffer, rng=random.Random(seed))(samples)
        yield from samples

    def _count_damage(self, error: Exception) -> bool:
        # webdataset adds where the error was.
        reason, shard = error.args[0], error.args[-1]
        if isinstance(error, OSError):
            reason = error.strerror or reason  # Its first argument is a number.
        self._count(CorruptSampleError(f'rest of shard {shard}: {reason}'))
        return True


@DATASETS.register_module()
class ImageTextShards(_TextShards):
    """Images with captions in webdataset's tar shards, for training.

    A sample is the files of one name: an image (jpg, jpeg, png, webp) and its texts:
    ``txt`` with one caption, or ``json`` with "caption" or "captions". ``sample_id`` is
    the shard's name and the sample's.

    Shards are shuffled, split over processes and their workers, and read one after the
    other, again and again until the epoch ends; samples are shuffled within a buffer.
    The order depends on the sampler's seed, the epoch, and the numbers of processes and
    workers. Damaged shards are read as far as they go.

    Args:
        shards: Files, or URLs as webdataset reads them, with braces,
            'data/{0000..0123}.tar', with '*', or 'pipe:...'; one or a list.
        epoch_length: Samples of an epoch, in all processes together; an epoch that is
            shorter than the data sees part of it, each time another one.
        shuffle_buffer: Samples in the buffer; 0 reads all in its order.
        pipeline: Transforms of the items.

    Raises:
        FileNotFoundError: No file matches.
        ValueError: A file is empty, or an argument is out of range.
    """

    def _decode(self, sample: dict[str, Any], name: str) -> Tensor:
        return decode_image(*_file_of(sample, IMAGE_FORMATS, name))


@DATASETS.register_module()
class VideoTextShards(_TextShards):
    """Clips with captions in webdataset's tar shards, for training.

    A sample is the files of one name: a video (mp4, webm, mkv, avi, mov), or numbered
    frames (NAME.000.jpg, NAME.001.jpg, ...), and its texts as in ``ImageTextShards``,
    whose other arguments these are too. Items have ``inputs`` of (T, 3, H, W).

    Args:
        shards: Files or URLs.
        epoch_length: Samples of an epoch, in all processes together.
        frames: How many frames to take of each clip, evenly.
        shuffle_buffer: Clips, not decoded, in the buffer.
        pipeline: Transforms of the items.

    Raises:
        FileNotFoundError: No file matches.
        ValueError: A file is empty, or an argument is out of range.
    """

    def __init__(
        self,
        shards: str | list[str],
        epoch_length: int,
        frames: int = 8,
        shuffle_buffer: int = 100,
        pipeline: Pipeline = (),
    ) -> None:
        super().__init__(shards, epoch_length, shuffle_buffer, pipeline)
        if frames < 1:
            raise ValueError(f'frames must be at least 1, got {frames}')
        self._frames = frames

    def _decode(self, sample: dict[str, Any], name: str) -> Tensor:
        numbered = sorted(
            (key for key in sample if _NUMBERED.fullmatch(key)),
            key=lambda key: int(key.split('.')[0]),
        )
        if not numbered:
            content, file = _file_of(sample, VIDEO_FORMATS, name)
            return decode_video(content, self._frames, file)
        chosen = [numbered[k] for k in spread_frames(len(numbered), self._frames)]
        images = [decode_image(sample[key], f'{name}.{key}') for key in chosen]
        return stack_frames(images, name)


def find_shards(patterns: str | list[str]) -> list[str]:
    """List the shards that patterns name, sorted within each.

    Raises:
        FileNotFoundError: A pattern names nothing, or a file does not exist.
        ValueError: A file is empty.
    """
    from webdataset.shardlists import expand_urls

    shards: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        for name in expand_urls(pattern):
            if name.startswith('pipe:') or '://' in name:
                shards.append(name)
                continue
            path = Path(name)
            found = sorted(path.parent.glob(path.name)) if '*' in name else [path]
            if not found or not found[0].is_file():
                raise FileNotFoundError(
                    f'no shard matches {name}'
                    + (f' (of {pattern})' if name != pattern else '')
                    + '; give tar files, such as data/{0000..0123}.tar or data/*.tar'
                )
            shards += map(str, found)
            for file in found:
                _check_not_empty(file)
    if not shards:
        raise ValueError('shards is an empty list; give the names of tar files')
    return shards


def _check_not_empty(shard: Path) -> None:
    with shard.open('rb') as file:
        if not any(file.read(_BLOCK)):
            raise ValueError(f'shard {shard} is empty; remove it or write it anew')


def _file_of(
    sample: dict[str, Any], formats: tuple[str, ...], name: str
) -> tuple[bytes, str]:
    """Return the content of a sample's file of one of the formats, and its name."""
    for key in formats:
        if key in sample:
            return sample[key], f'{name}.{key}'
    files = sorted(key for key in sample if not key.startswith('__'))
    raise CorruptSampleError(f'{name} has no {", ".join(formats)}, only {files}')


def _captions(sample: dict[str, Any], name: str) -> list[str]:
    content, file = _file_of(sample, ('json', 'txt'), name)
    try:
        text = content.decode()
        record = json.loads(text) if file.endswith('.json') else {'caption': text}
        has_none = isinstance(record, dict) and not {'caption', 'captions'} & {*record}
        if has_none and 'txt' in sample:
            # The .json tells other things of the sample.
            record, file = {'caption': sample['txt'].decode()}, f'{name}.txt'
        return [caption.strip() for caption in read_captions(record)]
    except (ValueError, AttributeError) as error:
        raise CorruptSampleError(f'{file}: {error}') from error
