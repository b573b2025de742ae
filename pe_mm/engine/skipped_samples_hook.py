"""A report of samples that could not be read."""

import logging

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from .paired_files_hook import unwrapped


@HOOKS.register_module()
class SkippedSamplesHook(Hook):
    """Log after an epoch how many samples of ``pe_mm`` datasets were skipped so far.

    The number goes into the message hub too, as ``skipped_samples``.
    """

    priority = 'LOW'

    def after_train_epoch(self, runner: Runner) -> None:
        """Add up the processes' counts, and log them if there are any."""
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
        for dataset, count in zip(datasets, counts.tolist(), strict=True):
            if count:
                runner.logger.log(
                    logging.WARNING,
                    f'{type(dataset).__name__}: samples that could not be read were '
                    f'skipped {count} times so far',
                )
