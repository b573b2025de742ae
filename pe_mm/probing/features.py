"""Features of batches of images, computed as they come or read from a store."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from .encoder import FrozenEncoder
from .feature_store import POLL_SECONDS, FeatureStore, Part
from .probe_task import ProbeImages, ProbeTask, Progress, Sample

Batch = tuple[dict[int, Tensor], dict[str, Tensor]]


class Features(Protocol):
    """Where the features of training images come from."""

    def batches(self, indices: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """Yield, for each list of image numbers, features and truths.

        Features are layer -> (B, C, h, w) in half precision; truths are what the task's
        ``encode_truth`` gives, and 'index'.
        """


class ComputedFeatures:
    """Run the encoder once per batch, for all layers.

    Args:
        task: Its training images are taken.
        encoder: Of all layers.
        workers: Processes that load images; 0 for none.
    """

    def __init__(self, task: ProbeTask, encoder: FrozenEncoder, workers: int) -> None:
        self._task = task
        self._encoder = encoder
        self._workers = workers

    def batches(self, indices: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """Yield features and truths of batches."""
        loaded = load_batches(self._task.train, indices, self._workers)
        for samples in loaded:
            yield self._encoder(stack_images(samples)), encode(self._task, samples)


class StoredFeatures:
    """Read what ``fill`` has stored.

    Args:
        store: With all the task's training images.
        device: Where the features are wanted.
    """

    def __init__(self, store: FeatureStore, device: torch.device) -> None:
        self._store = store
        self._device = device

    def batches(self, indices: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """Yield features and truths of batches."""
        for numbers in indices:
            maps, truths = {}, {'index': torch.tensor(numbers)}
            for name, values in self._store.read(numbers).items():
                kind, _, which = name.partition('-')
                if kind == 'layer':
                    maps[int(which)] = values.to(self._device)
                else:
                    truths[which] = values
            yield maps, truths


def plan_store_parts(task: ProbeTask, encoder: FrozenEncoder) -> dict[str, Part]:
    """Return what a store of a task's training images has."""
    data = task.train.fingerprint()
    sample = task.train[0]
    size = encoder.tokens(*sample.image.shape[-2:])
    parts = {
        f'truth-{name}': Part(
            shape=tuple(value.shape),
            dtype=str(value.dtype).removeprefix('torch.'),
            origin=data,
            kind=f'other data than these images for {task.name}',
        )
        for name, value in task.encode_truth(sample).items()
    }
    for layer, fingerprint in encoder.fingerprints().items():
        parts[f'layer-{layer:02d}'] = Part(
            shape=(encoder.channels, *size),
            dtype=encoder.dtype,
            origin=f'{fingerprint} {data}',
            kind='another encoder (architecture, weights or precision) or other data',
        )
    return parts


def fill(
    store: FeatureStore,
    task: ProbeTask,
    encoder: FrozenEncoder,
    *,
    workers: int,
    share: tuple[int, int],
    on_progress: Progress,
) -> None:
    """Compute what a store lacks, this process's share of it, and wait for the others.

    Args:
        store: Allocated.
        task: Its training images are taken.
        encoder: Of all layers.
        workers: Processes that load images; 0 for none.
        share: Number of this process, and of how many.
        on_progress: Called with the chunks that are done, and all of this share.
    """
    rank, world = share
    mine = range(rank, len(store.chunks), world)
    store.verify(mine)
    todo = [number for number in mine if store.missing(number)]
    done = len(mine) - len(todo)
    on_progress(done, len(mine))
    loaded = load_batches(task.train, [store.chunks[n] for n in todo], workers)
    for number, samples in zip(todo, loaded, strict=True):
        missing = store.missing(number)
        values = {f'truth-{k}': v for k, v in encode(task, samples).items()}
        if any(name.startswith('layer-') for name in missing):
            maps = encoder(stack_images(samples))
            values |= {f'layer-{layer:02d}': map_ for layer, map_ in maps.items()}
        store.write(number, {name: values[name] for name in missing})
        done += 1
        on_progress(done, len(mine))
    # Another process may not have found out yet that a chunk of its own is broken.
    for number in set(range(len(store.chunks))) - set(mine):
        while not store.holds(number):
            time.sleep(POLL_SECONDS)


def load_batches(
    images: ProbeImages, indices: Sequence[Sequence[int]], workers: int
) -> Iterator[list[Sample]]:
    """Load lists of images, in processes where they are wanted."""
    loader: Any = DataLoader(
        images,  # type: ignore[arg-type]
        batch_sampler=[list(numbers) for numbers in indices],
        num_workers=workers if indices else 0,
        collate_fn=list,
    )
    return iter(loader)


def stack_images(samples: Sequence[Sample]) -> Tensor:
    """Put images together, (B, 3, S, S)."""
    return torch.stack([sample.image for sample in samples])


def encode(task: ProbeTask, samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Return the truths of a batch, stacked, with the images' numbers as 'index'."""
    truths = [task.encode_truth(sample) for sample in samples]
    stacked = {name: torch.stack([t[name] for t in truths]) for name in truths[0]}
    return {**stacked, 'index': torch.tensor([sample.index for sample in samples])}
