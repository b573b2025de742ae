"""Measure the encoder against other ways to run it and the floor of its arithmetic.

The floor runs the same patch convolution, matrix products and attention calls on the
same shapes, with nothing around them: no norms, RoPE, GELU, residual sums or reshapes
that copy. All contestants are timed in turn, round after round in one process; every
ratio is taken within a round and printed as the median over the rounds with the
smallest and the largest. Peak memory is that of weights, gradients and activations, and
the same in every round.

Case 'features' runs official variants as they are, beside timm's model. Case
'detection' runs them as Meta's detectors do, at 1024 px with 16 px patches, attending
in windows except in the last block of each quarter, beside the same encoder that
partitions in every windowed block and beside attention over the whole map everywhere.

    python tools/benchmark_backbone.py
    python tools/benchmark_backbone.py --variants PE-Spatial-T16-512 --rounds 9
    python tools/benchmark_backbone.py --case detection --out rows.jsonl
    python tools/benchmark_backbone.py --case detection --depth 24 --device cuda --bf16
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import torch
from benchmark_contestants import (
    Detector,
    Floor,
    Ours,
    PartitionEveryBlock,
    TimmFeatures,
    detection_global_blocks,
    detection_variant,
)
from benchmark_measure import (
    MODES,
    conditions,
    make_step,
    peak_memory,
    ratios,
    summarize,
    time_rounds,
)
from torch import nn

from pe_mm.variants import VARIANTS, Variant, resolve_variant

# What an option is where the command line leaves it open.
DEFAULTS: dict[str, dict] = {
    'features': {
        'variants': ['PE-Spatial-T16-512', 'PE-Spatial-B16-512'],
        'size': 512,
        'batch': [1, 4],
        'rounds': 5,
        'min_run_time': 1.0,
    },
    # The blocks of one quarter of L, and of two of B: minutes instead of hours on CPUs.
    'detection': {
        'variants': ['PE-Spatial-B16-512', 'PE-Spatial-L14-448'],
        'size': 1024,
        'batch': [1],
        'rounds': 5,
        'min_run_time': 0.0,
        'depth': 6,
        'windows': [16, 32],
    },
}
Builds = dict[str, Callable[[], nn.Module]]


def measure(
    builds: Builds, batch: int, mode: str, args: argparse.Namespace
) -> dict[str, dict]:
    """Return the seconds of each round and the peak bytes of models, by name."""
    image = torch.randn(batch, 3, args.size, args.size, device=args.device)
    steps = {
        name: make_step(build().to(args.device), image, mode, bf16=args.bf16)
        for name, build in builds.items()
    }
    seconds = time_rounds(steps, args.rounds, args.min_run_time)
    memory = {
        name: peak_memory(build, image, mode, bf16=args.bf16)
        for name, build in builds.items()
    }
    return {'seconds': seconds, 'peak_bytes': memory}


def report(
    title: str, row: dict, compared: Sequence[tuple[str, str, str]], lean: Sequence[str]
) -> None:
    """Print one setting.

    Args:
        title: First line.
        row: Result row.
        compared: Label, contestant above and contestant below of each ratio of times.
        lean: Labels of those ratios that are printed of memory too.
    """
    seconds, memory = row['seconds'], row['peak_bytes']
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f'\n{title}')
    print('  ms      ' + '  '.join(f'{n} {s * 1e3:.1f}' for n, s in median.items()))
    print('  MiB     ' + '  '.join(f'{n} {b / 2**20:.0f}' for n, b in memory.items()))
    for label, top, bottom in compared:
        print(f'  {label:40s}{summarize(ratios(seconds[top], seconds[bottom]))}')
    for label, top, bottom in compared:
        if label in lean:
            print(f'  {"memory " + label:40s}{memory[top] / memory[bottom]:5.3f}')
    print(end='', flush=True)


def feature_rows(variant: Variant, args: argparse.Namespace) -> Iterator[dict]:
    """Measure one variant as it is, at every batch size and in every mode."""
    depth = variant.depth
    builds: Builds = {
        'ours': lambda: Ours(variant, depth),
        'timm': lambda: TimmFeatures(variant, args.size, depth),
        'floor': lambda: Floor(variant, depth),
        'half': lambda: Ours(variant, depth // 2),
    }
    for batch, mode in product(args.batch, args.modes):
        row = measure(builds, batch, mode, args)
        row = {'variant': variant.name, 'batch': batch, 'mode': mode, **row}
        report(
            f'{variant.name}, {args.size} px, batch {batch}, {mode}',
            row,
            [
                ('ours / timm', 'ours', 'timm'),
                ('floor / ours', 'floor', 'ours'),
                ('floor / timm', 'floor', 'timm'),
                ('half / whole depth', 'half', 'ours'),
            ],
            ['ours / timm', 'half / whole depth'],
        )
        yield row


def detection_rows(variant: Variant, args: argparse.Namespace) -> Iterator[dict]:
    """Measure one variant as in a detector, in all windows, batch sizes and modes."""
    variant, depth = detection_variant(variant), min(args.depth, variant.depth)
    blocks = detection_global_blocks(variant, depth)
    grid = (args.size // variant.patch_size,) * 2
    for window, batch, mode in product(args.windows, args.batch, args.modes):
        builds: Builds = {
            'ours': lambda w=window: Detector(variant, depth, w),
            'every block': lambda w=window: PartitionEveryBlock(variant, depth, w),
            'all global': lambda: Detector(variant, depth, None),
            'floor': lambda w=window: Floor(
                variant, depth, grid=grid, window_size=w, global_blocks=blocks
            ),
        }
        row = {
            'variant': variant.name,
            'patch_size': variant.patch_size,
            'whole_depth': variant.depth,
            'depth': depth,
            'global_blocks': blocks,
            'window': window,
            'batch': batch,
            'mode': mode,
            **measure(builds, batch, mode, args),
        }
        report(
            f'{variant.name} with 16 px patches, {depth} of {variant.depth} blocks '
            f'(global: {", ".join(map(str, blocks))}), {args.size} px, '
            f'window {window}, batch {batch}, {mode}',
            row,
            [
                ('ours / partition every block', 'ours', 'every block'),
                ('ours / all global', 'ours', 'all global'),
                ('floor / ours', 'floor', 'ours'),
                ('floor / partition every block', 'floor', 'every block'),
            ],
            ['ours / partition every block', 'ours / all global'],
        )
        yield row


def positive(word: str) -> int:
    """Read a count from the command line."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {word}')
    return number


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; the case fills in what is left open."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--case', choices=[*DEFAULTS], default='features')
    add(
        '--variants',
        nargs='+',
        choices=[*VARIANTS],
        metavar='VARIANT',
        help='official variants',
    )
    add('--size', type=positive, help='image side in px')
    add('--batch', type=positive, nargs='+')
    add('--modes', nargs='+', choices=MODES, default=list(MODES))
    add(
        '--windows',
        type=positive,
        nargs='+',
        help='detection: window sides in tokens',
    )
    add(
        '--depth',
        type=positive,
        help='detection: build only so many blocks, some whole quarters of a variant',
    )
    add('--rounds', type=positive, help='rounds of all models')
    add('--min-run-time', type=float, help='seconds per model and round')
    add('--threads', type=positive, default=torch.get_num_threads())
    add('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    add('--bf16', action='store_true', help='run forward passes in bf16 autocast')
    add('--seed', type=int, default=0)
    add('--out', type=Path, help='append result rows to this jsonl')
    args = parser.parse_args(argv)
    for name in ('windows', 'depth'):
        if args.case == 'features' and getattr(args, name) is not None:
            parser.error(f'--{name} is for --case detection')
    for name, value in DEFAULTS[args.case].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if args.case == 'detection':
        if args.size % 16:
            parser.error(f'--size must be a multiple of the 16 px patch: {args.size}')
        try:
            for name in args.variants:
                variant = resolve_variant(name)
                detection_global_blocks(variant, min(args.depth, variant.depth))
        except ValueError as error:
            parser.error(f'--depth: {error}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every asked-for case."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rows_of = feature_rows if args.case == 'features' else detection_rows
    common = {'size': args.size, 'bf16': args.bf16}
    common |= conditions(args.device, args.seed)
    name = 'backbone' if args.case == 'features' else 'detection'
    for variant in args.variants:
        for row in rows_of(resolve_variant(variant), args):
            if args.out:
                with args.out.open('a') as rows:
                    line = json.dumps({'benchmark': name, **row, **common})
                    rows.write(line + '\n')


if __name__ == '__main__':
    main()
