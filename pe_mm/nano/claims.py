"""What the paper claims beside what the nano chain measured, from its rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev

from pe_mm.probing.curves import Curve, gather_curves
from pe_mm.probing.results import ResultRow

_LABEL = re.compile(r'(?P<family>.+), seed (?P<seed>\d+)')


def join_seeds(rows: Iterable[ResultRow]) -> list[ResultRow]:
    """Make trainings of several seeds one encoder, whose spread is that of trainings.

    Args:
        rows: Of a chain's sweeps, whose encoders are named 'FAMILY, seed N'.

    Returns:
        The rows with FAMILY as the encoder and N as the seed. They have no hash of
        weights any more, since they are of several.

    Raises:
        ValueError: An encoder has another name.
    """
    joined = []
    for row in rows:
        match = _LABEL.fullmatch(row.encoder)
        if match is None:
            raise ValueError(
                f"rows of a chain name their encoders 'FAMILY, seed N', got "
                f'{row.encoder!r}'
            )
        seed = int(match['seed'])
        joined.append(replace(row, encoder=match['family'], seed=seed, weights=None))
    return joined


def claims_table(rows: Iterable[ResultRow]) -> str:
    """Write best layer against last layer per encoder and task, as Markdown.

    The best layer is that of the mean over the seeds. The last column is by how much it
    beats the last layer, paired by seed, with the 95 % interval after Student.

    Args:
        rows: As ``join_seeds`` returns them.
    """
    head = ('encoder', 'task', 'best layer', 'at best', 'at last', 'best beats last by')
    lines = [_line(head), _line(['---'] * len(head))]
    for curve in gather_curves(rows):
        best, last = _best(curve), max(curve.layers)
        gain, half = curve.gain(best, last)
        interval = '' if half is None else f' ± {curve.text(half)}'
        lines.append(
            _line(
                (
                    curve.encoder,
                    f'{curve.task}, {curve.metric}',
                    f'{best} of {curve.num_layers - 1}',
                    _value(curve, best),
                    _value(curve, last),
                    f'{curve.text(gain)}{interval}',
                )
            )
        )
    return '\n'.join(lines)


def stages_table(metrics: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Write numbers along the stages of training, as Markdown.

    Args:
        metrics: Stage -> per seed, name -> value; all have the same names.
    """
    names = list(next(iter(metrics.values()))[0])
    lines = [_line(['after', *names]), _line(['---'] * (1 + len(names)))]
    for stage, seeds in metrics.items():
        cells = [_spread([values[name] for values in seeds]) for name in names]
        lines.append(_line([stage, *cells]))
    return '\n'.join(lines)


def _best(curve: Curve) -> int:
    choose = max if curve.higher_is_better else min
    return choose(curve.layers, key=curve.mean)


def _value(curve: Curve, layer: int) -> str:
    spread = curve.spread(layer)
    text = curve.text(curve.mean(layer))
    return text if spread is None else f'{text} ± {curve.text(spread)}'


def _spread(values: Sequence[float]) -> str:
    text = f'{fmean(values):.1f}'
    return text if len(values) < 2 else f'{text} ± {stdev(values):.1f}'


def _line(cells: Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'
