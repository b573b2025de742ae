"""Quality over depth: the rows of one encoder on one task put together."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from .results import ResultRow

# Student's t, 97.5 % quantile, for 1 to 9 degrees of freedom; the last one serves more.
_T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)

# What rows must agree in to be compared. Not the resolution of two encoders: with
# patches of 14 and of 16 pixels they see equally many tokens of images of two sizes.
_MUST_AGREE = (
    ('encoder {row.encoder!r}', ('num_layers', 'weights')),
    (
        'encoder {row.encoder!r} on {row.task!r}',
        ('variant', 'config', 'protocol', 'resolution', 'tokens'),
    ),
    ('task {row.task!r}', ('config', 'protocol', 'tokens')),
    ('{row.metric!r} of task {row.task!r}', ('higher_is_better',)),
)


@dataclass(frozen=True)
class Curve:
    """What an encoder's layers reach on a task.

    Args:
        encoder: Label of the encoder.
        task: Name of the task.
        metric: Name of the number.
        higher_is_better: Direction of the metric.
        num_layers: Blocks of the whole encoder, also those that were not measured.
        values: Layer -> seed -> value, in ascending order; the only seed of a task in
            which nothing is random is None.
    """

    encoder: str
    task: str
    metric: str
    higher_is_better: bool
    num_layers: int
    values: Mapping[int, Mapping[int | None, float]]

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers with a number from every seed that was run on them."""
        return tuple(n for n in self.values if math.isfinite(self.mean(n)))

    @property
    def seeds(self) -> set[int | None]:
        """The seeds of all layers."""
        return {seed for values in self.values.values() for seed in values}

    @property
    def is_random(self) -> bool:
        """Whether the numbers depend on seeds."""
        return self.seeds != {None}

    def mean(self, layer: int) -> float:
        """Return the mean over the seeds; NaN if one of them gave no number."""
        return fmean(self.values[layer].values())

    def spread(self, layer: int) -> float | None:
        """Return the standard deviation over the seeds, None if there is only one."""
        values = self.values[layer].values()
        return stdev(values) if len(values) > 1 else None

    def gain(self, layer: int, other: int) -> tuple[float, float | None]:
        """Compare two layers over the seeds that both have.

        The seeds pair the layers, because what a seed does to all of them is no
        uncertainty of their difference.

        Returns:
            By how much `layer` is better than `other`, in the metric's unit, and the
            half width of its 95 % interval after Student: None where fewer than two
            seeds leave that unknown, 0 where nothing is random.
        """
        sign = 1 if self.higher_is_better else -1
        mine, its = self.values[layer], self.values[other]
        gains = [sign * (mine[seed] - its[seed]) for seed in mine if seed in its]
        if len(gains) < 2:
            gain = sign * (self.mean(layer) - self.mean(other))
            return (fmean(gains) if gains else gain), None if self.is_random else 0.0
        quantile = _T_QUANTILES[min(len(gains) - 1, len(_T_QUANTILES)) - 1]
        return fmean(gains), quantile * stdev(gains) / math.sqrt(len(gains))

    def text(self, value: float) -> str:
        """Write a value with as many digits as the metric's scale has use for."""
        top = max((abs(self.mean(layer)) for layer in self.layers), default=0)
        return f'{value:.{2 if top >= 10 else 3 if top >= 1 else 4}f}'


def gather_curves(rows: Iterable[ResultRow]) -> list[Curve]:
    """Put rows together by encoder, task and metric, in the order of the rows.

    Raises:
        ValueError: There are no rows, or some cannot be compared; names what differs.
    """
    lines: dict[tuple[str, str, str], list[ResultRow]] = {}
    for row in rows:
        lines.setdefault((row.encoder, row.task, row.metric), []).append(row)
    if not lines:
        raise ValueError('there are no results to compare; has a sweep written some?')
    heads: dict[str, ResultRow] = {}
    for row in (row for line in lines.values() for row in line):
        for template, names in _MUST_AGREE:
            group = template.format(row=row)
            _check_equal(heads.setdefault(group, row), row, names, group)
    return [_to_curve(line) for line in lines.values()]


def _check_equal(
    first: ResultRow, row: ResultRow, names: Sequence[str], group: str
) -> None:
    """Refuse two rows of a group of which some fields differ."""
    found = [
        text
        for name in names
        for text in _differences(name, getattr(first, name), getattr(row, name))
    ]
    if not found:
        return
    who = f'rows of {group}'
    if first.encoder != row.encoder:
        who += f' by {first.encoder!r} and {row.encoder!r}'
    raise ValueError(
        f'{who} cannot be compared: {"; ".join(found)}; give only rows that agree, '
        'and each encoder a label of its own'
    )


def _differences(name: str, first: Any, second: Any) -> list[str]:
    """Say which values differ, inside of mappings too."""
    if first == second:
        return []
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return [
            text
            for key in {**first, **second}
            for text in _differences(f'{name}.{key}', first.get(key), second.get(key))
        ]
    return [f'{name} is {first!r} and {second!r}']


def _to_curve(rows: Sequence[ResultRow]) -> Curve:
    """Sort comparable rows into a curve.

    Raises:
        ValueError: A number was measured twice and differs, or only some of the rows
            have a seed.
    """
    head = rows[0]
    found: dict[int, dict[int | None, float]] = {}
    for row in rows:
        known = found.setdefault(row.layer, {}).setdefault(row.seed, row.value)
        if known != row.value and not (math.isnan(known) and math.isnan(row.value)):
            raise ValueError(
                f'{row.metric} of {row.encoder!r} on {row.task!r}, layer {row.layer}, '
                f'seed {row.seed}, is {known} in one row and {row.value} in another; '
                'delete one of them'
            )
        if (row.seed is None) != (head.seed is None):
            raise ValueError(
                f'{row.metric} of {row.encoder!r} on {row.task!r} has rows with a '
                'seed and rows without one; give only one kind'
            )
    return Curve(
        head.encoder,
        head.task,
        head.metric,
        head.higher_is_better,
        head.num_layers,
        {layer: dict(sorted(found[layer].items())) for layer in sorted(found)},
    )


def list_layers(layers: Iterable[int]) -> str:
    """Write ascending ids in short: '0-3, 7'."""
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ', '.join(
        f'{run[0]}-{run[-1]}' if len(run) > 1 else f'{run[0]}' for run in runs
    )
