"""One HTML file that shows a sweep: advice, curves, tables, protocols, origins."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from pe_mm.checkpoints.writing import atomic_file

from .curves import Curve, gather_curves
from .page import Child, element, embed_picture, inline_svg, page, table
from .plots import panels, render
from .recommend import Choice, Recommendation, choose, recommend
from .results import ResultRow
from .wording import (
    COLUMNS,
    EXPLANATION,
    advice_lines,
    all_choices,
    choice_cells,
    metric_text,
    value_text,
)

_SECTIONS = ('Recommendation', 'Curves', 'Numbers', 'Protocols', 'Origins')


def write_report(
    rows: Iterable[ResultRow],
    path: str | Path,
    *,
    pictures: Sequence[str | Path] = (),
) -> None:
    """Write a page that needs no other file, no network and no scripts.

    Args:
        rows: What was measured.
        path: HTML file to write.
        pictures: PNG or JPEG files to show at the end, each above its name.

    Raises:
        ValueError: There are no rows, some cannot be compared, or a picture is of
            another format.
        FileNotFoundError: A picture is not there.
    """
    rows = list(rows)
    curves = gather_curves(rows)
    bodies = [
        [*map(_recommendation, recommend(rows)), element('p', EXPLANATION)],
        [_figures(curves)],
        [element('div', *map(_numbers, panels(curves)), class_='grid')],
        [element('div', *map(_protocol, _by_task(rows)), class_='grid')],
        _origins(rows),
    ]
    sections = dict(zip(_SECTIONS, bodies, strict=True))
    if pictures:
        sections['Pictures'] = [embed_picture(picture) for picture in pictures]
    links = [element('a', name, href=f'#{name}') for name in sections]
    content = page(
        'Which layer?',
        element('h1', 'Which layer?'),
        element('p', _summary(rows, curves), class_='soft'),
        element('nav', *links),
        *(
            element('section', element('h2', name, id=name), *parts)
            for name, parts in sections.items()
        ),
    )
    with atomic_file(Path(path)) as temporary:
        temporary.write_bytes(content)


def _summary(rows: Sequence[ResultRow], curves: Sequence[Curve]) -> str:
    encoders = ', '.join(dict.fromkeys(curve.encoder for curve in curves))
    tasks = ', '.join(dict.fromkeys(curve.task for curve in curves))
    return (
        f'What the layers of frozen encoders are good for: {encoders} on {tasks}; '
        f'{len({row.key for row in rows})} numbers.'
    )


def _recommendation(found: Recommendation) -> Element:
    """Show the advice for one encoder."""
    title = f'{found.encoder} ({found.num_layers} layers)'
    choices = [choice_cells(choice) for choice in all_choices(found)]
    return element(
        'div',
        element('h3', title),
        element('pre', '\n'.join(advice_lines(found))),
        table(
            COLUMNS,
            choices,
            label=f'Best layers of {found.encoder}',
            class_='numbers',
        ),
        *(element('p', note, class_='soft') for note in found.notes),
    )


def _figures(curves: Sequence[Curve]) -> Element:
    """Draw a figure per task, so that a phone can show one below the other."""
    encoders = list(dict.fromkeys(curve.encoder for curve in curves))
    figures = []
    for number, group in enumerate(panels(curves)):
        svg = render(group, 'svg', encoders=encoders)
        label = f'{group[0].task}: {group[0].metric} over the layers'
        figures.append(
            element('figure', inline_svg(svg, label=label, prefix=f'f{number}-'))
        )
    return element('div', *figures, class_='grid')


def _numbers(group: Sequence[Curve]) -> Element:
    """Show the numbers of a task, a line per layer and a column per encoder."""
    choices = [choose(curve) if curve.layers else None for curve in group]
    lines: list[list[Child]] = []
    for layer in range(max(curve.num_layers for curve in group)):
        pairs = zip(group, choices, strict=True)
        numbers = (_number(curve, layer, choice) for curve, choice in pairs)
        lines.append([str(layer), *numbers])
    head = ['layer', *(curve.encoder for curve in group)]
    title = f'{group[0].task}, {metric_text(group[0])}'
    return element(
        'div',
        element('h3', title),
        table(head, lines, label=title, class_='numbers'),
    )


def _number(curve: Curve, layer: int, choice: Choice | None) -> Element:
    """Show a layer's number, the best and the last one in bold."""
    if layer not in curve.values:
        return element('td', '')
    if choice is None or layer not in curve.layers:
        return element('td', 'no finite number')
    text = value_text(curve, layer)
    marks = []
    if layer == choice.best:
        marks.append('best')
    if layer in choice.ties:
        marks.append('as good')
    if layer == choice.last:
        marks.append('last')
    bold = layer in (choice.best, choice.last)
    content: list[Child] = [element('strong', text) if bold else text]
    if marks:
        content += [' ', element('small', ', '.join(marks))]
    return element('td', *content, class_='best' if layer == choice.best else '')


def _by_task(rows: Iterable[ResultRow]) -> list[list[ResultRow]]:
    tasks: dict[str, list[ResultRow]] = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row)
    return list(tasks.values())


def _protocol(rows: Sequence[ResultRow]) -> Element:
    """Show what fixes the numbers of a task, and what each encoder was given."""
    head = rows[0]
    facts = {'config': head.config, **head.protocol}
    encoders: dict[str, list[ResultRow]] = {}
    for row in rows:
        encoders.setdefault(row.encoder, []).append(row)
    return element(
        'div',
        element('h3', head.task),
        table(
            ('setting', 'value'),
            [(name, _text(value)) for name, value in facts.items()],
            label=f'Protocol of {head.task}',
        ),
        table(
            ('encoder', 'seeds', 'resolution', 'tokens'),
            [
                (name, _seeds(of), _size(of[0].resolution), _size(of[0].tokens))
                for name, of in encoders.items()
            ],
            label=f'Encoders on {head.task}',
        ),
    )


def _origins(rows: Iterable[ResultRow]) -> list[Element]:
    """Show which weights and which versions the numbers come from."""
    encoders: dict[str, ResultRow] = {}
    variants: dict[str, list[str]] = {}
    versions: dict[str, list[str]] = {}
    for row in rows:
        encoders.setdefault(row.encoder, row)
        variants.setdefault(row.encoder, []).append(_text(row.variant))
        for name, version in row.versions.items():
            versions.setdefault(name, []).append(_text(version))
    return [
        table(
            ('encoder', 'layers', 'variant', 'SHA-256 of the weights'),
            [
                (
                    name,
                    str(row.num_layers),
                    '; '.join(dict.fromkeys(variants[name])),
                    element('td', _weights(row), class_='hash'),
                )
                for name, row in encoders.items()
            ],
            label='Encoders',
        ),
        element('h3', 'Versions'),
        table(
            ('package', 'version'),
            [(n, ', '.join(dict.fromkeys(found))) for n, found in versions.items()],
            label='Versions',
        ),
    ]


def _weights(row: ResultRow) -> str:
    if row.weights is not None:
        return row.weights
    variant = row.variant if isinstance(row.variant, Mapping) else {}
    # What ``FrozenEncoder`` notes; a variant's own entry is where its weights are.
    is_random = str(variant.get('weights')).startswith('random')
    return 'random weights' if is_random else 'those of a training per seed'


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seeds(rows: Iterable[ResultRow]) -> str:
    seeds = dict.fromkeys(row.seed for row in rows)
    return ', '.join('none needed' if seed is None else str(seed) for seed in seeds)


def _size(size: tuple[int, int]) -> str:
    return f'{size[0]} × {size[1]}'
