"""Measure every layer of a frozen encoder on every task, in one run per task.

ENCODER is a config of a model (its encoder is taken), a name such as PE-Core-L14-336,
or timm/NAME with timm's name of a vision transformer; with --demo it is, by default,
the nano PE-Core of configs/nano. Every layer gets a light probe of its own, and all are
trained from one forward pass per batch:

  detection     FCOS predictions on a map twice as fine; AP in percent
  segmentation  batch norm and 1x1 convolution; mIoU in percent
  depth         batch norm, 1x1 convolution, 256 linear bins; RMSE in metres
  knn, linear   20 nearest neighbours and a linear classifier, of the mean of the
                patches; accuracy in percent. On configs of detection the largest
                object of every image is cut out and classified.
  tracking      zero-shot, with the settings 'pe' of pe-mm track; J&F in percent

Images are resized to a square of --tokens patches, whatever their shape. A sweep that
was interrupted, at any moment, continues when it is started again; rows that are there
are not measured twice. Under torchrun the processes split the layers.

What is written to the folder --out:
  rows.jsonl       a row per task, layer and seed; several encoders add to it
  report.html      curves, tables and the recommended layers (see pe-mm report)
  layer_sweep.png  and .svg: quality over depth
"""

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pe_mm.data.progress import show_progress

from .encoder_arguments import ENCODER_HELP, WEIGHTS_HELP, add_device, add_layers
from .sweep_arguments import (
    DEMO_ITERATIONS,
    DEMO_TOKENS,
    ITERATIONS,
    TOKENS,
    add_data_arguments,
    add_run_arguments,
    check_numbers,
    parse_data,
)

if TYPE_CHECKING:
    from pe_mm.probing.encoder import FrozenEncoder
    from pe_mm.probing.tasks import TaskOptions

HELP = 'measure every layer of an encoder on every task; names the best layer'

ROWS = 'rows.jsonl'
DEMO_IMAGES = (1000, 200)
NANO = Path(__file__).parents[2] / 'configs' / 'nano'
DEMO_ENCODER = NANO / 'stage2_video_text.py'
DEMO_WEIGHTS = NANO / 'weights' / 'pe_nano_core.safetensors'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm sweep`."""
    parser.add_argument('encoder', nargs='?', metavar='ENCODER', help=ENCODER_HELP)
    parser.add_argument(
        '--weights',
        metavar='FILE',
        help=f'{WEIGHTS_HELP} (default: random ones, for dry runs; with --demo and '
        "without ENCODER the nano PE-Core's)",
    )
    parser.add_argument(
        '--tasks', nargs='+', metavar='TASK', help='default: all that have data'
    )
    add_layers(parser)
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0], metavar='SEED', help='default: 0'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/sweep'),
        metavar='DIR',
        help='folder of the results (default: %(default)s)',
    )
    parser.add_argument(
        '--recommend',
        action='store_true',
        help='print the best layer per task and overall, and out_indices to paste',
    )
    parser.add_argument('--label', help="what figures call it (default: the encoder's)")
    add_device(parser)
    add_data_arguments(parser)
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure what has no row yet, and say where the results are."""
    from pe_mm.checkpoints.writing import make_out_folder
    from pe_mm.cli.report import check_folder
    from pe_mm.probing.probe_run import SweepOptions
    from pe_mm.probing.sweep import sweep
    from pe_mm.probing.tasks import TASKS, build_tasks, check_names

    check_numbers(args)
    data = parse_data(args.data)
    names = args.tasks or [name for name in TASKS if args.demo or name in data]
    check_names(names, data, is_demo=args.demo)
    args.encoder, args.weights = choose_encoder(args)
    check_folder(args.out)
    make_out_folder(args.out)
    rank, world = process_share()
    encoder = open_encoder(args)
    tasks = build_tasks(names, task_options(args, encoder, data))
    options = SweepOptions(
        rows=args.out / ROWS,
        store=args.store or args.out / f'features-{encoder.short_hash}',
        show=show_progress if rank == 0 else lambda _: nullcontext(lambda *_: None),
        say=print if rank == 0 else lambda _: None,
        features=args.features,
        keep_store=args.store is not None,
        workers=args.workers,
        share=(rank, world),
    )
    sweep(encoder, tasks, args.seeds, options)
    if rank == 0:
        report(args.out, args.recommend, complete=world == 1)
    return 0


def process_share() -> tuple[int, int]:
    """Return the number of this process, and of how many, as torchrun tells it."""
    return int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))


def choose_encoder(args: argparse.Namespace) -> tuple[str, str | None]:
    """Return what is measured and its weights: without ENCODER, the nano PE-Core.

    Raises:
        ValueError: There is no ENCODER, and no --demo.
    """
    if args.encoder is not None:
        return args.encoder, args.weights
    if not args.demo:
        raise ValueError(
            'no ENCODER to measure: give a config, a name such as PE-Core-L14-336 or '
            'timm/NAME; or --demo for the nano PE-Core'
        )
    return str(DEMO_ENCODER), args.weights or str(DEMO_WEIGHTS)


def open_encoder(args: argparse.Namespace) -> 'FrozenEncoder':
    """Load the encoder with its layers, on this process's device."""
    from pe_mm.engine.encoder_loading import load_encoder
    from pe_mm.layers import parse_layers
    from pe_mm.prediction.loading import find_device
    from pe_mm.probing.encoder import FrozenEncoder

    device = find_device(args.device)
    if args.device is None and device.type == 'cuda':
        device = find_device(f'cuda:{os.environ.get("LOCAL_RANK", 0)}')
    loaded = load_encoder(
        args.encoder, args.weights, layers=parse_layers(args.layers), device=device
    )
    return FrozenEncoder(loaded, label=args.label, dtype=args.feature_dtype)


def task_options(
    args: argparse.Namespace, encoder: 'FrozenEncoder', data: Mapping[str, str]
) -> 'TaskOptions':
    """Return what the tasks share, with the demo's budget where it is asked for.

    Raises:
        ValueError: The encoder takes images of another size only.
    """
    from pe_mm.probing.tasks import TaskOptions

    tokens = args.tokens or (DEMO_TOKENS if args.demo else TOKENS)
    most: tuple[int | None, int | None] = DEMO_IMAGES if args.demo else (None, None)
    side = tokens * encoder.patch_size
    encoder.check_size(side)
    return TaskOptions(
        side=side,
        patch_size=encoder.patch_size,
        iterations=args.iterations or (DEMO_ITERATIONS if args.demo else ITERATIONS),
        batch_size=args.batch_size,
        is_demo=args.demo,
        data=data,
        data_root=args.data_root,
        cfg_options=args.cfg_options,
        limits=(args.train_images or most[0], args.val_images or most[1]),
    )


def report(out: Path, with_recommendation: bool, *, complete: bool) -> None:
    """Write the report of all rows in a folder, and print what it recommends.

    Args:
        out: The folder.
        with_recommendation: Whether to print it.
        complete: False while other processes may add rows.
    """
    from pe_mm.cli.report import REPORT, write_files
    from pe_mm.probing.recommend import recommend
    from pe_mm.probing.results import read_rows
    from pe_mm.probing.wording import print_recommendations

    rows_path = out / ROWS
    if not complete:
        print(f'{rows_path}: when all processes have ended, pe-mm report draws it')
        return
    rows = read_rows(rows_path)
    try:
        write_files(rows, out)
    except ValueError as error:
        # Earlier rows may be of another budget; those of this sweep are safe.
        print(
            f'pe-mm: no report of {rows_path}: {error}; choose rows with pe-mm report '
            '--only',
            file=sys.stderr,
        )
        return
    if with_recommendation:
        print_recommendations(recommend(rows))
    print(f'{out / REPORT}: the report; rows and figures are beside it')
