"""Rows of results as a sweep would write them, with made-up numbers."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from pe_mm.probing.results import ResultRow

# Task -> metric, whether higher is better, value of the worst and of the best layer,
# and where in the depth the best layer is.
TASKS = {
    'detection': ('box AP', True, 8.0, 43.0, 0.78),
    'segmentation': ('mIoU', True, 9.0, 41.5, 0.88),
    'depth': ('RMSE', False, 0.9, 0.25, 0.74),
    'tracking': ('J&F', True, 20.0, 56.8, 0.6),
}


def row(**changes) -> ResultRow:
    """Return a row with some fields changed."""
    default = ResultRow(
        task='segmentation',
        metric='mIoU',
        value=40.0,
        higher_is_better=True,
        layer=5,
        num_layers=12,
        encoder='PE-Spatial B/16',
        variant='PE-Spatial-B16-512',
        weights='ab' * 32,
        config='configs/probing/ade20k.py',
        seed=0,
        protocol={'probe': 'linear', 'iterations': 40_000, 'lr': 1e-3},
        resolution=(512, 512),
        tokens=(32, 32),
        versions={'torch': '2.13.0'},
        seconds=12.5,
    )
    return replace(default, **changes)


def curve_rows(
    values: Sequence[Sequence[float] | float], seeds=None, **changes
) -> list[ResultRow]:
    """Return the rows of a task; values per layer, and per seed where there are more.

    A single number per layer is of a task without seeds, unless these are given.
    """
    rows = []
    for layer, value in enumerate(values):
        per_seed = [value] if isinstance(value, (int, float)) else value
        names = seeds or ([None] if per_seed is not value else range(len(per_seed)))
        rows += [
            row(layer=layer, num_layers=len(values), value=v, seed=seed, **changes)
            for seed, v in zip(names, per_seed, strict=True)
        ]
    return rows


def sweep_rows(
    encoder='PE-Core L/14', num_layers=24, seeds=(0, 1, 2), shift=0.0
) -> list[ResultRow]:
    """Return what a sweep of an encoder over four tasks may look like.

    Tracking has no seeds. `shift` moves all the best layers towards the end.
    """
    rng = random.Random(f'{encoder} {num_layers}')
    rows = []
    for task, (metric, higher, worst, best, peak) in TASKS.items():
        for layer in range(num_layers):
            distance = (layer + 1) / num_layers - min(1.0, peak + shift)
            quality = math.exp(-((distance / (0.15 if distance > 0 else 0.45)) ** 2))
            quality = quality if distance < 0 else 0.6 + 0.4 * quality
            for seed in [None] if task == 'tracking' else seeds:
                value = worst + (best - worst) * (quality + rng.gauss(0, 0.008))
                rows.append(
                    row(
                        task=task,
                        metric=metric,
                        higher_is_better=higher,
                        value=value,
                        layer=layer,
                        num_layers=num_layers,
                        encoder=encoder,
                        variant=encoder.replace(' ', '-'),
                        seed=seed,
                        config=f'configs/probing/{task}.py',
                        protocol={'probe': f'linear {task}', 'batch': 16, 'lr': 1e-3},
                    )
                )
    return rows
