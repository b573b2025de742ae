"""Name the layer: the best one per task and over all tasks, and how sure that is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from .curves import Curve, gather_curves, list_layers
from .results import ResultRow

OVERALL = 'overall'


@dataclass(frozen=True)
class Choice:
    """The best layer of one curve.

    Args:
        curve: What was measured.
        best: The layer with the best mean over the seeds; the first of equal ones,
            which is the cheapest.
        ties: Other layers whose difference from the best is within the uncertainty.
        unsure: Layers whose difference from the best has no known uncertainty, because
            fewer than two seeds have both.
        last: The encoder's last layer, None if it has no number.
        drop: By how much the last layer is worse than the best, in the metric's unit.
        drop_margin: Half width of the drop's 95 % interval, None if it is unknown.
    """

    curve: Curve
    best: int
    ties: tuple[int, ...]
    unsure: tuple[int, ...]
    last: int | None
    drop: float | None
    drop_margin: float | None


@dataclass(frozen=True)
class Recommendation:
    """Which layers of an encoder to use.

    Args:
        encoder: Label of the encoder.
        num_layers: Its blocks.
        tasks: The best layer of every task and metric.
        overall: The best layer over all tasks, by the mean regret; None if the tasks
            have no layer in common. See `mean_regret`.
        several: The smallest set of layers that has, for every task, the best one or
            one that ties with it; empty where a single layer does that, and where the
            uncertainty of a task is unknown.
        notes: What a reader must know: seeds or layers that are missing.
    """

    encoder: str
    num_layers: int
    tasks: tuple[Choice, ...]
    overall: Choice | None
    several: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def single(self) -> int | None:
        """The one layer to use, None if the tasks have no layer in common."""
        return self.overall.best if self.overall else None


def recommend(rows: Iterable[ResultRow]) -> list[Recommendation]:
    """Recommend layers for every encoder in the rows.

    Raises:
        ValueError: There are no rows, or some cannot be compared; names what differs.
    """
    encoders: dict[str, list[Curve]] = {}
    for curve in gather_curves(rows):
        encoders.setdefault(curve.encoder, []).append(curve)
    return [_recommend_for(curves) for curves in encoders.values()]


def out_indices(layers: int | Iterable[int]) -> str:
    """Write the line that a backbone's config takes."""
    ids = (layers,) if isinstance(layers, int) else tuple(layers)
    return f'out_indices={ids!r}'


def choose(curve: Curve) -> Choice:
    """Find the best layer of a curve that has at least one finite mean.

    A layer ties with the best if zero is in the 95 % interval of their difference, by
    Student's t over the seeds that both have.
    """
    sign = 1 if curve.higher_is_better else -1
    best = max(curve.layers, key=lambda layer: sign * curve.mean(layer))
    ties, unsure = [], []
    for layer in curve.layers:
        lead, margin = curve.gain(best, layer)
        if layer == best:
            continue
        if margin is None:
            unsure.append(layer)
        elif lead <= margin:
            ties.append(layer)
    last = curve.num_layers - 1
    known = last in curve.layers
    drop, drop_margin = curve.gain(best, last) if known else (None, None)
    return Choice(
        curve,
        best,
        tuple(ties),
        tuple(unsure),
        last if known else None,
        drop,
        # A best layer that is the last one does not differ from itself, surely.
        0.0 if best == last else drop_margin,
    )


def mean_regret(curves: Sequence[Curve]) -> Curve | None:
    """Put the tasks of one encoder together.

    The regret of a layer on a task is its distance from the task's best layer over the
    distance between the best and the worst layer, by the means over the seeds: 0 for
    the best, 1 for the worst, whatever the metric's unit. It is averaged over the
    metrics of a task and then over the tasks. Only layers that all tasks have count,
    and of a layer the seeds that all tasks have; a task in which nothing is random
    counts for every seed.

    Returns:
        A curve of the mean regret, None if the tasks share no layer or no seed.
    """
    random = [curve for curve in curves if curve.is_random]
    found = {}
    for layer in sorted(set.intersection(*(set(curve.layers) for curve in curves))):
        seeds = [set(curve.values[layer]) for curve in random] or [{None}]
        found[layer] = {
            seed: _regret(curves, layer, seed)
            for seed in sorted(set.intersection(*seeds), key=str)
        }
    values = {layer: regrets for layer, regrets in found.items() if regrets}
    if not values:
        return None
    head = curves[0]
    return Curve(head.encoder, OVERALL, 'regret', False, head.num_layers, values)


def _regret(curves: Sequence[Curve], layer: int, seed: int | None) -> float:
    """Average the regret of one seed of a layer over metrics and tasks."""
    tasks: dict[str, list[float]] = {}
    for curve in curves:
        sign = 1 if curve.higher_is_better else -1
        means = [sign * curve.mean(other) for other in curve.layers]
        span = max(means) - min(means)
        value = sign * curve.values[layer][seed if curve.is_random else None]
        regret = (max(means) - value) / span if span else 0.0
        tasks.setdefault(curve.task, []).append(regret)
    return fmean(fmean(regrets) for regrets in tasks.values())


def _recommend_for(curves: Sequence[Curve]) -> Recommendation:
    """Recommend layers of one encoder."""
    known = [curve for curve in curves if curve.layers]
    head = curves[0]
    if not known:
        raise ValueError(
            f'{head.encoder!r} has no finite number on any task, so there is no layer '
            'to recommend'
        )
    choices = tuple(choose(curve) for curve in known)
    regret = mean_regret(known)
    overall = choose(regret) if regret else None
    return Recommendation(
        head.encoder,
        head.num_layers,
        choices,
        overall,
        _choose_several(choices, overall),
        tuple(_notes(curves)),
    )


def _choose_several(
    choices: Sequence[Choice], overall: Choice | None
) -> tuple[int, ...]:
    """Find the fewest layers that serve all tasks; of equally many the least regret."""
    if any(choice.unsure for choice in choices):
        return ()
    serving = [{choice.best, *choice.ties} for choice in choices]
    regret = {n: overall.curve.mean(n) for n in overall.curve.layers} if overall else {}
    # Layers that serve the same tasks stand for each other, so few are left to combine.
    serves: dict[tuple[bool, ...], int] = {}
    for layer in sorted(set.union(*serving), key=lambda n: (regret.get(n, 1.0), n)):
        serves.setdefault(tuple(layer in served for served in serving), layer)
    for size in range(1, len(choices) + 1):
        for layers in combinations(serves.values(), size):
            if all(served.intersection(layers) for served in serving):
                return tuple(sorted(layers)) if size > 1 else ()
    raise AssertionError('the best layers together serve every task')


def _notes(curves: Sequence[Curve]) -> list[str]:
    """Say what is missing from the curves of an encoder."""
    found: dict[str, list[str]] = {}
    for curve in curves:
        absent = [n for n in range(curve.num_layers) if n not in curve.values]
        broken = [layer for layer in curve.values if layer not in curve.layers]
        partial = [
            n for n, values in curve.values.items() if len(values) < len(curve.seeds)
        ]
        texts = [
            f'{text}: layers {list_layers(layers)}'
            for text, layers in (
                ('not measured', absent),
                ('no finite number', broken),
                ('not with every seed', partial),
            )
            if layers
        ]
        if curve.is_random and len(curve.seeds) == 1:
            texts.append('one seed, so the uncertainty is unknown; run at least three')
        for text in texts:
            found.setdefault(text, []).append(f'{curve.task} ({curve.metric})')
    return [f'{", ".join(names)}: {text}' for text, names in found.items()]
