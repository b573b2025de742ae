"""Write curves and recommendations in words, the same on terminals and in reports."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .curves import Curve, list_layers
from .recommend import Choice, Recommendation, out_indices

COLUMNS = ('task', 'best layer', 'as good', 'last layer', 'its loss')
EXPLANATION = (
    'Layers count from 0. Best layer: mean ± standard deviation over the seeds. As '
    'good: the difference from the best is within its 95 % interval over the seeds. '
    'Its loss: the difference of the last layer from the best, with that interval. '
    'Overall: the mean over the tasks of the regret, which is 0 for the best layer of '
    'a task and 1 for the worst.'
)


def value_text(curve: Curve, layer: int) -> str:
    """Write a layer's mean and spread: '41.52 ± 0.13'."""
    spread = curve.spread(layer)
    mean = curve.text(curve.mean(layer))
    return mean if spread is None else f'{mean} ± {curve.text(spread)}'


def metric_text(curve: Curve) -> str:
    """Write the metric with an arrow to where it is better."""
    return f'{curve.metric} {"↑" if curve.higher_is_better else "↓"}'


def choice_cells(choice: Choice) -> tuple[str, ...]:
    """Write what was found for a task, a text for each of `COLUMNS`."""
    curve = choice.curve
    ties = list_layers(choice.ties) or '–'
    if choice.unsure:
        ties = 'unknown' if not choice.ties else f'{ties}, others unknown'
    last, loss = 'not measured', '–'
    if choice.last is not None and choice.drop is not None:
        last = f'{choice.last}: {curve.text(curve.mean(choice.last))}'
        loss = '–' if choice.last == choice.best else curve.text(choice.drop)
        if choice.drop_margin:
            loss += f' ± {curve.text(choice.drop_margin)}'
    best = f'{choice.best}: {value_text(curve, choice.best)}'
    return f'{curve.task} {metric_text(curve)}', best, ties, last, loss


def all_choices(recommendation: Recommendation) -> list[Choice]:
    """Return the choices of the tasks, and the overall one where it says more."""
    choices = list(recommendation.tasks)
    if recommendation.overall is not None and len(choices) > 1:
        choices.append(recommendation.overall)
    return choices


def advice_lines(recommendation: Recommendation) -> list[str]:
    """Write the lines to paste into a config, each with a comment that says why."""
    single = recommendation.single
    if single is None:
        return ['# no layer was measured on every task: no layer to recommend overall']
    lines = [f'{out_indices(single)}  # best single layer, counted from 0']
    if recommendation.several:
        served: dict[int, list[str]] = {}
        for choice in recommendation.tasks:
            sign = 1 if choice.curve.higher_is_better else -1
            means = {
                layer: sign * choice.curve.mean(layer)
                for layer in recommendation.several
                if layer in choice.curve.layers
            }
            best = max(means, key=lambda layer: means[layer])
            served.setdefault(best, []).append(choice.curve.task)
        reasons = '; '.join(
            f'{layer} for {", ".join(dict.fromkeys(tasks))}'
            for layer, tasks in sorted(served.items())
        )
        lines.append(f'{out_indices(recommendation.several)}  # {reasons}')
    return lines


def print_recommendations(
    recommendations: Iterable[Recommendation], console: Console | None = None
) -> None:
    """Print a table and the lines to paste for every encoder."""
    console = console or Console(highlight=False)
    for recommendation in recommendations:
        title = f'{recommendation.encoder} ({recommendation.num_layers} layers)'
        table = Table(
            title=Text(title), title_justify='left', box=None, padding=(0, 2, 0, 0)
        )
        for column in COLUMNS:
            table.add_column(column)
        for choice in all_choices(recommendation):
            table.add_row(*map(Text, choice_cells(choice)))
        console.print(table)
        for line in [*recommendation.notes, *advice_lines(recommendation)]:
            console.print(Text(line), soft_wrap=True)
        console.print()
    console.print(Text(EXPLANATION))
