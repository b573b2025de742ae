"""Draw the curves of layer sweeps, write a report, and name the best layers.

What is written to the folder --out:
  report.html      everything in one file that opens offline: the recommendation,
                   curves, tables, protocols, weights, versions, pictures
  layer_sweep.png  quality over depth, a panel per task, the encoders overlaid; 1800 px
  layer_sweep.svg  wide (900 for one task), and the same as vectors

Only numbers of one protocol, resolution and data are put together; others are refused
with what differs, and --only chooses: --only task=depth protocol.iterations=40000
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pe_mm.probing.results import ResultRow

HELP = 'draw and explain the results of layer sweeps; names the best layers'

REPORT = 'report.html'
FIGURES = ('layer_sweep.png', 'layer_sweep.svg')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm report`."""
    parser.add_argument(
        'rows', nargs='+', type=Path, metavar='ROWS', help='jsonl files of pe-mm sweep'
    )
    parser.add_argument(
        '--out',
        type=Path,
        metavar='DIR',
        help='folder of the results (default: only print the recommendation)',
    )
    parser.add_argument(
        '--only',
        nargs='+',
        default=[],
        metavar='FIELD=VALUE',
        help='leave out rows of which a field differs, such as encoder="PE-Core L/14", '
        'seed=0 or protocol.learning_rate=0.001; a field that is given twice may be '
        'either',
    )
    parser.add_argument(
        '--pictures',
        nargs='+',
        type=Path,
        default=[],
        metavar='FILE',
        help='PNG or JPEG files to show in the report',
    )


def run(args: argparse.Namespace) -> int:
    """Write what is asked for, and print the recommendation."""
    from pe_mm.probing.recommend import recommend
    from pe_mm.probing.results import read_rows
    from pe_mm.probing.wording import print_recommendations

    if args.pictures and args.out is None:
        raise ValueError('--pictures are shown in the report, which needs --out')
    rows = [row for path in args.rows for row in read_rows(path)]
    rows = select_rows(rows, args.only)
    recommendations = recommend(rows)
    if args.out is not None:
        check_folder(args.out)
        write_files(rows, args.out, args.pictures)
    print_recommendations(recommendations)
    if args.out is not None:
        print(f'\n{args.out / REPORT}: the report; figures are beside it')
    return 0


def write_files(
    rows: Sequence['ResultRow'], folder: Path, pictures: Sequence[Path] = ()
) -> None:
    """Write the report of rows, and the figures beside it.

    Raises:
        ValueError: The rows cannot be compared, or a picture cannot be read; nothing
            was written.
    """
    from pe_mm.probing.plots import plot_sweep
    from pe_mm.probing.report import write_report

    # The report is written first: it marks the figures beside it as ours.
    write_report(rows, folder / REPORT, pictures=pictures)
    for name in FIGURES:
        plot_sweep(rows, folder / name)


def select_rows(
    rows: Iterable['ResultRow'], conditions: Sequence[str]
) -> list['ResultRow']:
    """Keep rows that meet every condition.

    Args:
        rows: What was measured.
        conditions: ``FIELD=VALUE`` each, ``protocol.learning_rate=0.001`` for a value
            inside of a field; several of one field are alternatives.

    Raises:
        ValueError: A condition has no ``=`` or names no field, or no row meets all.
    """
    wanted: dict[str, set[str]] = {}
    for condition in conditions:
        name, equals, value = condition.partition('=')
        if not equals:
            raise ValueError(f'--only takes FIELD=VALUE, got {condition!r}')
        wanted.setdefault(name, set()).add(value)
    kept, known = [], dict[str, set[str]]()
    for row in rows:
        found = {name: field_text(row, name) for name in wanted}
        for name, text in found.items():
            known.setdefault(name, set()).add(text)
        if all(found[name] in values for name, values in wanted.items()):
            kept.append(row)
    if wanted and not kept:
        values = '; '.join(f'{k} is {" or ".join(sorted(v))}' for k, v in known.items())
        raise ValueError(
            f'no row meets --only {" ".join(conditions)}; in the files {values}'
        )
    return kept


def field_text(row: 'ResultRow', name: str) -> str:
    """Return a field's value, or one inside of it, as it is written after --only.

    Raises:
        ValueError: Rows have no such field.
    """
    outer, _, inner = name.partition('.')
    names = [field.name for field in fields(row)]
    if outer not in names:
        raise ValueError(
            f'--only {name}: rows have no such field; use {", ".join(names)}'
        )
    value: Any = getattr(row, outer)
    if inner:
        value = value.get(inner) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else json.dumps(value)


def check_folder(folder: Path) -> None:
    """Make sure that only an earlier report is replaced.

    Raises:
        NotADirectoryError: It is a file.
        ValueError: It has files with the names of ours that are not.
    """
    from pe_mm.probing.page import is_report

    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f'--out {folder} is a file; give a folder')
    report = folder / REPORT
    if report.is_file() and is_report(report):
        return
    foreign = [name for name in (REPORT, *FIGURES) if (folder / name).exists()]
    if foreign:
        raise ValueError(
            f'--out {folder} has {", ".join(foreign)} of no earlier run of pe-mm '
            'report, which would be overwritten; give another folder'
        )
