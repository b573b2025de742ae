"""Training one probe per layer on the same batches, and measuring all of them."""

import hashlib
import math
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from .encoder import FrozenEncoder
from .feature_store import in_chunks
from .features import Features, load_batches, stack_images
from .probe_task import Budget, ProbeTask, Progress
from .quiet import quiet

# Of the iterations, with a rising learning rate.
_WARM_UP = 0.1


class ProbeTrainer:
    """One layer's probe, its optimizer and schedule, independent of all other layers.

    Args:
        task: Builds the probe and tells its loss.
        channels: Of the features.
        seed: Of the sweep; with the task's name and the layer it fixes the start.
        layer: Block id.
        device: Where the features are.
    """

    def __init__(
        self,
        task: ProbeTask,
        channels: int,
        *,
        seed: int,
        layer: int,
        device: torch.device,
    ) -> None:
        self._task = task
        self._budget = task.budget
        with torch.random.fork_rng(devices=()), quiet():
            torch.manual_seed(derive_seed(task.name, seed, layer))
            self.probe = task.build_probe(channels).to(device)
        self._parameters = list(self.probe.parameters())
        self._optimizer = (
            torch.optim.AdamW(
                self._parameters,
                lr=self._budget.learning_rate,
                weight_decay=self._budget.weight_decay,
            )
            if self._parameters
            else None
        )
        self.diverged = False

    def step(
        self, number: int, features: torch.Tensor, truths: dict[str, torch.Tensor]
    ) -> None:
        """Take one step; a probe whose loss is not finite takes no more."""
        if self.diverged:
            return
        loss = self._task.loss(self.probe, features.float(), truths)
        if loss is None or self._optimizer is None:
            return
        if not loss.isfinite():
            self.diverged = True
            return
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, self._budget.max_norm)
        for group in self._optimizer.param_groups:
            group['lr'] = learning_rate(self._budget, number)
        self._optimizer.step()


def train(
    task: ProbeTask,
    features: Features,
    encoder: FrozenEncoder,
    layers: Sequence[int],
    *,
    seed: int,
    on_progress: Progress,
) -> dict[int, ProbeTrainer]:
    """Train a probe for every layer on the same batches, in the task's scope.

    Args:
        task: What to learn.
        features: Of its training images.
        encoder: What they are of.
        layers: Those to train on.
        seed: Fixes the start of every probe, and the order of the images.
        on_progress: Called with the steps that are done, and all.

    Returns:
        Layer -> its probe, trained. Numbers do not depend on the other layers.
    """
    batches = list(plan_batches(task, seed))
    trainers = {
        layer: ProbeTrainer(
            task, encoder.channels, seed=seed, layer=layer, device=encoder.device
        )
        for layer in layers
    }
    for number, (maps, truths) in enumerate(features.batches(batches)):
        there = {name: value.to(encoder.device) for name, value in truths.items()}
        for layer, trainer in trainers.items():
            trainer.step(number, maps[layer], there)
        on_progress(number + 1, len(batches))
    return trainers


@torch.no_grad()
def measure(
    task: ProbeTask,
    encoder: FrozenEncoder,
    trainers: dict[int, ProbeTrainer],
    *,
    workers: int,
    on_progress: Progress,
) -> dict[int, float]:
    """Measure every probe on the held-out images, from one forward pass.

    In the task's scope, as ``train``.

    Returns:
        Layer -> the task's number; NaN for a probe that diverged.
    """
    with quiet():
        metrics = {layer: task.build_metric() for layer in trainers}
    sound = {
        layer: (trainer.probe.eval(), metrics[layer])
        for layer, trainer in trainers.items()
        if not trainer.diverged
    }
    chunks = in_chunks(len(task.val))
    loaded = load_batches(task.val, chunks, workers)
    for number, samples in enumerate(loaded, start=1):
        maps = encoder(stack_images(samples))
        for layer, (probe, metric) in sound.items():
            metric.add(probe, maps[layer].float(), samples)
        on_progress(number, len(chunks))
    numbers = {layer: metric.compute() for layer, (_, metric) in sound.items()}
    return {layer: numbers.get(layer, math.nan) for layer in trainers}


def plan_batches(task: ProbeTask, seed: int) -> Iterator[list[int]]:
    """Yield the image numbers of every step: pass after pass, each in another order."""
    count, budget = len(task.train), task.budget
    if budget.iterations is None:
        yield from map(list, in_chunks(count))
        return
    generator = torch.Generator().manual_seed(derive_seed(task.name, seed, 'order'))
    waiting: list[int] = []
    for _ in range(budget.iterations):
        while len(waiting) < budget.batch_size:
            waiting += torch.randperm(count, generator=generator).tolist()
        yield waiting[: budget.batch_size]
        waiting = waiting[budget.batch_size :]


def learning_rate(budget: Budget, number: int) -> float:
    """Return the learning rate of a step, counted from 0."""
    iterations = budget.iterations or 1
    rising = min(1.0, (number + 1) / max(1, round(_WARM_UP * iterations)))
    falling = 0.5 * (1 + math.cos(math.pi * number / iterations))
    return budget.learning_rate * rising * falling


def derive_seed(*names: object) -> int:
    """Return a seed that names fix, the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(names).encode()).digest()[:4], 'big')
