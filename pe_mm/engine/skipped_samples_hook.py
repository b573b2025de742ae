"""A report of samples that could not be read."""

import logging
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from pe_mm.variants import check_count

from .paired_files_hook import unwrapped


@HOOKS.register_module()
class SkippedSamplesHook(Hook):
    """Log how many samples of ``pe_mm`` datasets were skipped so far.

    It does so after every epoch, and every ``interval`` iterations: a training by
    iterations is one long epoch. What has not grown is not said again. The number goes
    into the message hub too, as ``skipped_samples``.

    Args:
        interval: In iterations.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 1000) -> None:
        self.interval = check_count('interval', interval)
        self._said: list[int] = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Report every ``interval`` iterations."""
        if self.every_n_train_iters(runner, self.interval):
            self._report(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Report at the end of an epoch."""
        self._report(runner)

    def _report(self, runner: Runner) -> None:
        """Add up the processes' counts, and log those that have grown."""
        datasets = [
            dataset
            for dataset in unwrapped(runner.train_loop.dataloader.dataset)
            if hasattr(dataset, 'skipped')
        ]
        if not datasets:
            return
        counts = torch.tensor([dataset.skipped for dataset in datasets])
        all_reduce(counts)
        runner.message_hub.update_info('skipped_samples', int(counts.sum()))
        said, self._said = self._said or [0] * len(datasets), counts.tolist()
        for dataset, count, before in zip(datasets, self._said, said, strict=True):
            if count > before:
                runner.logger.log(
                    logging.WARNING,
                    f'{type(dataset).__name__}: samples that could not be read were '
                    f'skipped {count} times so far',
                )
