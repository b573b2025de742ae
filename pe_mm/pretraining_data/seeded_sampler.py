"""Randomness of data that a resumed training repeats to the digit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from numpy.typing import NDArray


class SeededIndex(int):
    """An index into a dataset that knows what its random choices depend on.

    Attributes:
        seed: Of this one draw; depends on the sampler's seed, epoch and position.
        epoch_seed: Of the whole epoch; depends on the sampler's seed and epoch.
    """

    seed: int
    epoch_seed: int


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """Draw as mmengine's ``DefaultSampler``, and say with what seed to augment.

    Under other samplers the augmentation comes from the random state of the process,
    which checkpoints do not hold: a resumed training then continues with other crops,
    and workers that are not persistent repeat their crops every epoch. Here the crops
    of an image depend on the seed, the epoch and the place in the epoch alone; not on
    the number of workers, nor on what was trained before.

    Takes DefaultSampler's arguments: dataset, shuffle, seed, round_up; the order is
    the same.
    """

    def __iter__(self) -> Iterator[int]:
        """Yield this process's share of the indices."""
        # No lists, as DefaultSampler makes: shards may have 10 ** 8 places an epoch.
        count = len(self.dataset)
        order: Sequence[int] | NDArray[np.int64] = range(count)
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            order = torch.randperm(count, generator=generator).numpy()
        epoch_seed = mix_seeds(self.seed, self.epoch)
        for place in range(self.rank, self.total_size, self.world_size):
            seeded = SeededIndex(order[place % count])
            seeded.seed = mix_seeds(self.seed, self.epoch, place)
            seeded.epoch_seed = epoch_seed
            yield seeded


@contextmanager
def draws_of(index: int) -> Iterator[None]:
    """Draw torch's random numbers by the index's seed, if it has one."""
    if not isinstance(index, SeededIndex):
        yield
        return
    # Only the CPU's numbers: fork_rng and manual_seed would touch the GPU's too.
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(index.seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def mix_seeds(*numbers: int) -> int:
    """Return one seed for several, the same on every machine."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))
