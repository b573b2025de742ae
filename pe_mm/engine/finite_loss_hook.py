"""Stopping a training whose loss is no number any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from pe_mm.checkpoints import CheckpointError

from .resuming import list_checkpoints, read_training_checkpoint

# Sample ids in the message; the log has all of them.
_SHOWN = 8


class NonFiniteLossError(ValueError):
    """A loss is NaN or infinite, or has made weights NaN."""


@dataclass
class _Step:
    """What is known of one iteration, once its losses are on the CPU."""

    iteration: int
    names: tuple[str, ...]
    values: Tensor
    samples: list[str]
    copied: Any


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop with one message when a loss is NaN or infinite.

    It names the iteration, the losses, the batch's samples, and the last checkpoint of
    finite weights, with the command that continues from it.

    On the CPU, losses are looked at in every iteration. On an accelerator they are
    copied to the host beside the work, and looked at one iteration later, so the host
    never waits for the step that it has just begun. Before a checkpoint is written, its
    weights are looked at too, so that none is kept that a bad loss has spoilt.

    Gradients that overflow under float16's loss scaling are no reason: the scaler skips
    their step, and the loss itself is finite. With gradient accumulation the losses of
    every part of a batch count, and in several processes each looks at its own; what
    another's has spoilt shows in the weights.
    """

    priority = 'HIGH'

    def __init__(self) -> None:
        self._pending: _Step | None = None

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Look at the losses of this iteration, or of the one before.

        Raises:
            NonFiniteLossError: One is NaN or infinite.
        """
        losses = {
            name: value.detach().float().mean()
            for name, value in (outputs or {}).items()
            if 'loss' in name and isinstance(value, Tensor)
        }
        if not losses:
            return
        values = torch.stack(list(losses.values()))
        self._check_pending(runner)
        copied = None
        if values.is_cuda:
            values = values.to('cpu', non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
        samples = _sample_ids(data_batch)
        self._pending = _Step(runner.iter + 1, tuple(losses), values, samples, copied)
        if copied is None:
            self._check_pending(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Look at the losses of the last iteration."""
        self._check_pending(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the losses that the weights come from, and at the weights.

        Raises:
            NonFiniteLossError: A loss is NaN or infinite, or a weight is NaN.
        """
        self._check_pending(runner)
        bad = [
            name
            for name, value in checkpoint.get('state_dict', {}).items()
            if isinstance(value, Tensor) and bool(value.isnan().any())
        ]
        if bad:
            raise NonFiniteLossError(
                f'weights are NaN after iteration {runner.iter + 1}, in {len(bad)} '
                f'tensors such as {bad[0]}: gradients were not finite, or the loss of '
                'another process. Look at its log, lower the learning rate, clip '
                f'gradients. {_advise(runner)}'
            )

    def _check_pending(self, runner: Runner) -> None:
        step, self._pending = self._pending, None
        if step is None:
            return
        if step.copied is not None:
            step.copied.synchronize()
        if not bool(step.values.isfinite().all()):
            runner.logger.error(f'iteration {step.iteration} had {step.samples}')
            raise NonFiniteLossError(_describe(step, runner))


def find_good_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the newest checkpoint that training can continue from, of finite weights.

    Folders of sharded checkpoints are taken as they are.
    """
    for path in list_checkpoints(Path(work_dir)):
        if path.is_dir():
            return path
        try:
            weights = read_training_checkpoint(path)['state_dict']
        except CheckpointError:
            continue
        if all(bool(value.isfinite().all()) for value in weights.values()):
            return path
    return None


def _sample_ids(data_batch: Any) -> list[str]:
    batch = data_batch if isinstance(data_batch, Mapping) else {}
    samples = batch.get('data_samples')
    if not isinstance(samples, (list, tuple)):
        return []
    known = [
        sample.get('sample_id', sample.get('img_path'))
        for sample in samples
        if hasattr(sample, 'get')
    ]
    return [str(name) for name in known if name is not None]


def _describe(step: _Step, runner: Runner) -> str:
    values = zip(step.names, step.values.tolist(), strict=True)
    losses = ', '.join(f'{name} {value:g}' for name, value in values)
    samples = ', '.join(step.samples[:_SHOWN]) or 'their data samples have no ids'
    if len(step.samples) > _SHOWN:
        samples += f' and {len(step.samples) - _SHOWN} more, see the log'
    return (
        f'a loss is not finite in iteration {step.iteration}: {losses}; the batch: '
        f'{samples}. Look at these samples, lower the learning rate, clip gradients. '
        f'{_advise(runner)}'
    )


def _advise(runner: Runner) -> str:
    checkpoint = find_good_checkpoint(runner.work_dir)
    if checkpoint is None:
        return f'There is no good checkpoint yet in {runner.work_dir}'
    config = getattr(runner.cfg, 'filename', None) or 'CONFIG'
    return (
        f'The last good checkpoint is {checkpoint}; continue from it with `pe-mm train '
        f'{config} --work-dir {runner.work_dir} --resume {checkpoint}`'
    )
