"""What all datasets of images and texts have in common."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from .decoding import CorruptSampleError
from .seeded_sampler import draws_of

# So many unreadable samples in a row are no bad luck.
PATIENCE = 100
# Warnings of unreadable samples by each process; the others are only counted.
_WARNINGS = 10
# Processes that count for themselves: the main one, and workers.
_COUNTERS = 256


class SampleDataset(Dataset):
    """Items of an image or a clip and what belongs to it; unreadable ones are skipped.

    An item is ``dict(inputs=uint8 tensor, data_samples=BaseDataElement)``, whose
    metainfo has ``sample_id`` and, with texts, ``caption``: one of the sample's
    captions by chance, or in test mode the first, beside all of them as ``captions``.

    A sample that cannot be read gives its place to the next one and is counted:
    ``skipped`` tells how often, ``SkippedSamplesHook`` logs it. In test mode it is an
    error: a score over other samples than those listed would mean nothing.

    Args:
        pipeline: Transforms of items, functions or mmengine's configs, such as
            ``[dict(type='pe_mm.TorchvisionTransforms', transforms=[...])]``.
        test_mode: Whether the data serves to measure a model.
    """

    def __init__(
        self,
        pipeline: Sequence[Mapping[str, Any] | Callable[..., Any]] = (),
        test_mode: bool = False,
    ) -> None:
        self.test_mode = test_mode
        self.metainfo: dict[str, Any] = {}
        self._apply = Compose(pipeline)
        # Worker processes see and change the same memory, each its own number.
        self._counts = torch.zeros(_COUNTERS, dtype=torch.int64).share_memory_()

    @abstractmethod
    def __len__(self) -> int:
        """Count the samples of an epoch."""

    @abstractmethod
    def _load(self, index: int, attempt: int) -> dict[str, Any]:
        """Read one item without the pipeline.

        Args:
            index: The place in the epoch.
            attempt: How many samples were unreadable for this place so far.

        Raises:
            CorruptSampleError: The sample cannot be read.
        """

    @property
    def skipped(self) -> int:
        """How often a sample was skipped, in this process and its workers."""
        return int(self._counts.sum())

    @property
    def _patience(self) -> int:
        """How many unreadable samples in a row are too many."""
        return min(len(self), PATIENCE)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Read and transform one item.

        Raises:
            CorruptSampleError: The sample cannot be read, in test mode.
            ValueError: Neither it nor any of the next ones can be read.
        """
        if not 0 <= index < len(self):
            raise IndexError(f'index {int(index)} of {len(self)} samples')
        with draws_of(index):
            item: dict[str, Any] = self._apply(self._load_readable(index))
        return item

    def _load_readable(self, index: int) -> dict[str, Any]:
        for attempt in range(self._patience):
            try:
                return self._load(index, attempt)
            except CorruptSampleError as error:
                if self.test_mode:
                    raise
                self._count(error)
                last = error
        raise ValueError(
            f'{type(self).__name__}: none of {self._patience} samples in a row can be '
            f'read; the last: {last}'
        )

    def _count(self, error: Exception) -> None:
        worker = get_worker_info()
        slot = 0 if worker is None else 1 + worker.id % (_COUNTERS - 1)
        self._counts[slot] += 1
        if self._counts[slot] <= _WARNINGS:
            print_log(f'skipped: {error}', logger='current', level=logging.WARNING)

    def _item(
        self, inputs: Tensor, sample_id: str, captions: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Make an item, and choose one of the captions."""
        metainfo: dict[str, Any] = {'sample_id': sample_id}
        if captions:
            number = 0 if self.test_mode else int(torch.randint(len(captions), ()))
            metainfo['caption'] = captions[number]
            if self.test_mode:
                metainfo['captions'] = list(captions)
        return {'inputs': inputs, 'data_samples': BaseDataElement(metainfo=metainfo)}
