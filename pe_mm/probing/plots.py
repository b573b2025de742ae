"""Figures of a sweep: quality over depth, a panel per task, the encoders overlaid."""

import io
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pe_mm.checkpoints.writing import atomic_file

from .curves import Curve, gather_curves
from .recommend import choose
from .results import ResultRow
from .wording import metric_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

# Text and axes; reports put the page's own colour in its place.
INK = '#1f2328'
SUFFIXES = ('.png', '.svg')

# Okabe and Ito's colours, which colour-blind people tell apart, without the two that
# are faint on white; the dashes keep more encoders than colours apart.
_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00')
_DASHES = ('-', '--', ':', '-.')

_PANEL_WIDTH, _PANEL_HEIGHT, _LEGEND_HEIGHT = 4.5, 3.0, 0.25  # inches
_DPI = 200

_BEST: dict[str, Any] = {'marker': '*', 'markersize': 12, 'markeredgecolor': 'white'}
_LAST: dict[str, Any] = {'marker': 's', 'markersize': 11, 'markerfacecolor': 'none'}
# Numbers beside more stars would cover each other.
_MOST_NUMBERED = 3


def plot_sweep(rows: Iterable[ResultRow], path: str | Path) -> None:
    """Draw the curves of all tasks and encoders into one figure.

    Lines are means over the seeds, bands reach from the lowest seed to the highest;
    stars are the best layers, squares the encoders' last ones. Where the encoders have
    different numbers of layers, the axis is the depth in percent of the layers.

    Args:
        rows: What was measured.
        path: File to write, .png (1800 px wide, 900 with one task) or .svg.

    Raises:
        ValueError: There are no rows, some cannot be compared, or the suffix is
            another.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f'{path} must end with {" or ".join(SUFFIXES)}')
    content = render(gather_curves(rows), path.suffix.lower()[1:])
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def render(
    curves: Sequence[Curve], kind: str, *, encoders: Sequence[str] | None = None
) -> bytes:
    """Draw curves and return the file's bytes, always the same for the same curves.

    Args:
        curves: At least one; those of a task and metric share a panel.
        kind: 'png' or 'svg'.
        encoders: Labels in the order of the colours, also of encoders that these curves
            lack; by default those of the curves.
    """
    buffer = io.BytesIO()
    labels = encoders or list(dict.fromkeys(curve.encoder for curve in curves))
    with _style():
        figure = _draw(curves, labels)
        # What was drawn when and by what would make equal figures differ.
        without = dict.fromkeys(('Date', 'Creator', 'Format', 'Type'))
        metadata: dict[str, Any] = without if kind == 'svg' else {'Software': None}
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


def panels(curves: Iterable[Curve]) -> list[list[Curve]]:
    """Put the curves of equal task and metric together, in their order."""
    found: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        found.setdefault((curve.task, curve.metric), []).append(curve)
    return list(found.values())


@contextmanager
def _style() -> Iterator[None]:
    """Draw in this module's look, and leave no trace in matplotlib's settings."""
    import matplotlib

    inked = ('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color')
    settings: Any = {
        **dict.fromkeys((*inked, 'ytick.color', 'grid.color'), INK),
        'axes.spines.top': False,
        'axes.spines.right': False,
        'axes.titleweight': 'bold',
        'font.size': 11,
        'legend.frameon': False,
        # Names may have a dollar sign.
        'text.parse_math': False,
        'svg.fonttype': 'none',
        'svg.hashsalt': 'pe_mm',
    }
    with matplotlib.rc_context(settings):
        yield


def _draw(curves: Sequence[Curve], encoders: Sequence[str]) -> 'Figure':
    """Draw one panel per task and metric, two side by side, and a legend below."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    groups = panels(curves)
    relative = len({curve.num_layers for curve in curves}) > 1
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    looks = {name: _look(number) for number, name in enumerate(encoders)}
    handles = _legend(
        {curve.encoder: looks[curve.encoder] for curve in curves},
        bands=any(len(curve.seeds) > 1 for curve in curves),
    )
    lines = sum(str(handle.get_label()).count('\n') + 1 for handle in handles)
    height = rows * _PANEL_HEIGHT + -(-lines // columns) * _LEGEND_HEIGHT
    figure = Figure((columns * _PANEL_WIDTH, height), layout='constrained')
    for place, group in enumerate(groups, start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.set(title=group[0].task, ylabel=metric_text(group[0]))
        axes.set_xlabel('depth (% of the layers)' if relative else 'layer (from 0)')
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.grid(alpha=0.15)
        for curve in group:
            _draw_curve(axes, curve, looks[curve.encoder], relative)
        if len(group) <= _MOST_NUMBERED:
            for curve in group:
                _number_best(axes, curve, looks[curve.encoder][0], relative)
    figure.legend(handles=handles, loc='outside lower center', ncols=columns)
    return figure


def _draw_curve(
    axes: 'Axes', curve: Curve, look: tuple[str, Any], relative: bool
) -> None:
    """Draw one encoder's line, its seeds' band, and its marks."""
    colour, dashes = look
    x = [_place(curve, layer, relative) for layer in curve.values]
    y = [curve.mean(layer) for layer in curve.values]
    axes.plot(x, y, color=colour, linestyle=dashes, marker='.', markersize=5)
    low, high = (
        [edge(values.values()) for values in curve.values.values()]
        for edge in (min, max)
    )
    axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    marks = [(curve.num_layers - 1, _LAST)]
    if curve.layers:
        marks.append((choose(curve).best, _BEST))
    for layer, mark in marks:
        if layer in curve.layers:
            at = _place(curve, layer, relative), curve.mean(layer)
            axes.plot(*at, color=colour, **mark)


def _number_best(axes: 'Axes', curve: Curve, colour: str, relative: bool) -> None:
    """Write the best layer's number beside its star, away from the curve."""
    if not curve.layers:
        return
    best = choose(curve).best
    up = curve.higher_is_better
    axes.annotate(
        str(best),
        (_place(curve, best, relative), curve.mean(best)),
        xytext=(0, 8 if up else -9),
        textcoords='offset points',
        ha='center',
        va='bottom' if up else 'top',
        color=colour,
        weight='bold',
    )
    axes.margins(y=0.16)


def _place(curve: Curve, layer: int, relative: bool) -> float:
    """Return where a layer is on the axis."""
    return 100 * (layer + 1) / curve.num_layers if relative else layer


def _look(number: int) -> tuple[str, Any]:
    """Return the colour and the dashes of an encoder."""
    dashes = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    return _COLOURS[number % len(_COLOURS)], dashes


def _legend(
    looks: Mapping[str, tuple[str, Any]], *, bands: bool
) -> 'list[Line2D | Patch]':
    """Explain lines, marks and, where there are any, bands."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [
        # Longer lines than this do not fit below a panel.
        Line2D([], [], color=colour, linestyle=dashes, label=textwrap.fill(name, 34))
        for name, (colour, dashes) in looks.items()
    ]
    for label, mark in (('best layer', _BEST), ('last layer', _LAST)):
        handles.append(Line2D([], [], color=INK, linestyle='', label=label, **mark))
    if bands:
        handles.append(Patch(color=INK, alpha=0.2, label='lowest to highest seed'))
    return handles
