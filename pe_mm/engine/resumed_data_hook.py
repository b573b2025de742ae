"""Going on in the data where a training by iterations was interrupted."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader

from pe_mm.pretraining_data.seeded_sampler import SeededSampler


class ResumedDataHook(Hook):
    """Leave out the epochs that a resumed training by iterations has seen.

    mmengine reads and decodes every batch since the first iteration once more and
    throws it away. Under ``pe_mm.SeededSampler`` an epoch does not depend on those
    before it, so only the batches of the interrupted one are read.
    """

    # After DistSamplerSeedHook, which sets the sampler's epoch to 0.
    priority = 'LOW'

    def before_train_epoch(self, runner: Runner) -> None:
        """Replace the loop's data, if it is resumed."""
        loop = runner.train_loop
        if not isinstance(loop, IterBasedTrainLoop) or not loop.iter:
            return
        loader, sampler = loop.dataloader, loop.dataloader.sampler
        epochs = loop.iter // len(loader)
        # In the first epoch the loop's own iterator is right. Another would go on with
        # persistent workers, which have read ahead already.
        if epochs and isinstance(sampler, SeededSampler):
            sampler.set_epoch(epochs)
            loop.dataloader_iterator = _ResumedIterator(loader, epochs)


class _ResumedIterator(_InfiniteDataloaderIterator):
    """Begin with a later epoch; give nothing for the epochs before it."""

    def __init__(self, dataloader: DataLoader, epochs: int) -> None:
        super().__init__(dataloader)
        self._epoch = epochs
        self._left_out = epochs * len(dataloader)

    def __next__(self) -> Sequence[Any] | dict[str, Any] | None:
        # The loop asks once for each iteration that it was trained before.
        if self._left_out:
            self._left_out -= 1
            return None
        batch: Sequence[Any] | dict[str, Any] = super().__next__()
        return batch
