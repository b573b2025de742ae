"""Train a nano PE family on rendered scenes, and measure the paper's claims on it.

For every seed: contrastive training on images and captions, then on clips; the sweep of
all layers; alignment to a middle layer and to exact masks, with both losses and with
each alone; the distillation of a student; sweeps of all of these. Hours on two cores. A
chain that was interrupted, at any moment, continues when it is started again.

What is left in the folder --work-dir:
  seed_N/STAGE     checkpoints and logs of every training
  weights          the first seed's encoders in fp16, with weights.json about them
and in --results, over all seeds that have ended there, also those of other machines:
  rows.jsonl       one row per layer, task, encoder and seed; curves beside it
  stages.json      zero-shot scores along the stages
  claims.md        tables of both
"""

import argparse
from pathlib import Path

from .sweep_arguments import check_seeds

HELP = 'train and measure a nano PE family: contrast, align, distil (hours)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm nano`."""
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/nano'),
        metavar='DIR',
        help='where trainings, logs and weights go (default: %(default)s)',
    )
    parser.add_argument(
        '--results',
        type=Path,
        metavar='DIR',
        help='where rows, tables and curves go, beside those of other seeds that are '
        'there already (default: WORK_DIR/results)',
    )
    parser.add_argument(
        '--data-dir',
        type=Path,
        default=Path('data/nano'),
        metavar='DIR',
        help='scenes to train on, made if they are missing (default: %(default)s)',
    )
    parser.add_argument(
        '--sweep-data',
        type=Path,
        default=Path('data/demo'),
        metavar='DIR',
        help='demo scenes to measure layers on, likewise (default: %(default)s)',
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=int,
        default=[0, 1, 2],
        metavar='SEED',
        help='default: 0 1 2',
    )
    parser.add_argument(
        '--processes',
        type=int,
        default=2,
        help='of each training, which share its batch (default: 2; 1 for one GPU)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        help='processes that load data, for each of these (default: 0, none besides '
        'it; for GPUs 4 or more), up to 5 GB of memory each',
    )


def run(args: argparse.Namespace) -> int:
    """Do what is not done yet, and print the tables."""
    from pe_mm.nano import ChainOptions, build_steps, run_steps
    from pe_mm.nano.results import write_results

    if args.processes < 1:
        raise ValueError(f'--processes must be at least 1, got {args.processes}')
    if args.workers < 0:
        raise ValueError(f'--workers must be at least 0, got {args.workers}')
    check_seeds(args.seeds)
    options = ChainOptions(
        work_dir=args.work_dir,
        results=args.results or args.work_dir / 'results',
        data=args.data_dir,
        sweep_data=args.sweep_data,
        seeds=args.seeds,
        processes=args.processes,
        workers=args.workers,
    )
    run_steps(build_steps(options))
    print(write_results(options))
    return 0
