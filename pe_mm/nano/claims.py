"""What the paper claims beside what the nano chain measured, from its rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev

from pe_mm.probing.curves import Curve, gather_curves
from pe_mm.probing.recommend import choose
from pe_mm.probing.results import ResultRow
from pe_mm.probing.wording import value_text

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
        cells = _claim_cells(curve) if curve.layers else ['no finite number'] * 4
        lines.append(_line((curve.encoder, f'{curve.task}, {curve.metric}', *cells)))
    return '\n'.join(lines)


def _claim_cells(curve: Curve) -> tuple[str, ...]:
    choice = choose(curve)
    best = (f'{choice.best} of {curve.num_layers - 1}', value_text(curve, choice.best))
    if choice.last is None or choice.drop is None:
        return *best, 'not measured', '–'
    drop = curve.text(choice.drop)
    if choice.drop_margin is not None and choice.best != choice.last:
        drop += f' ± {curve.text(choice.drop_margin)}'
    return *best, value_text(curve, choice.last), drop


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


def _spread(values: Sequence[float]) -> str:
    text = f'{fmean(values):.1f}'
    return text if len(values) < 2 else f'{text} ± {stdev(values):.1f}'


def _line(cells: Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'
