"""Random numbers of a model that a resumed training repeats to the digit."""

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from pe_mm.pretraining_data.seeded_sampler import mix_seeds


@HOOKS.register_module()
class SeededStepsHook(Hook):
    """Seed torch's random numbers anew before each iteration.

    DropPath, dropout and masks then depend on the run's seed, the process and the
    iteration alone. Together with ``pe_mm.SeededSampler``, a training that was
    interrupted and resumed ends with the same weights as one that was not.
    """

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None
    ) -> None:
        """Seed the numbers of this iteration, on the CPU and on accelerators."""
        torch.manual_seed(mix_seeds(runner.seed, runner.rank, runner.iter))
