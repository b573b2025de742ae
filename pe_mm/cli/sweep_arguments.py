"""What `pe-mm sweep` takes: its arguments of data and budgets, and their checks."""

import argparse
from collections.abc import Sequence
from pathlib import Path

# Side of the map: 1024 patches, as papers have it, or the demo scenes' 256 pixels.
TOKENS, DEMO_TOKENS = 32, 16
ITERATIONS, DEMO_ITERATIONS = 5000, 200


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which images probes learn from and are measured on."""
    parser.add_argument(
        '--demo',
        action='store_true',
        help='demo scenes for tasks without --data, a budget of minutes, and the '
        'nano PE-Core without ENCODER',
    )
    parser.add_argument(
        '--data',
        nargs='+',
        default=[],
        metavar='TASK=PATH',
        help='config of the form of configs/_base_/datasets; for knn and linear also a '
        'folder with train/CLASS and val/CLASS; for tracking a folder of DAVIS-2017',
    )
    parser.add_argument(
        '--data-root',
        type=Path,
        default=Path('data/demo'),
        metavar='DIR',
        help='where the demo scenes are (default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change settings of all configs of data',
    )
    parser.add_argument(
        '--train-images', type=int, metavar='N', help='take N, evenly spaced'
    )
    parser.add_argument(
        '--val-images', type=int, metavar='N', help='take N, evenly spaced'
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the budget of the probes, and how features get to them."""
    parser.add_argument(
        '--tokens',
        type=int,
        metavar='N',
        help=f'side of the map in patches (default: {TOKENS}, demo {DEMO_TOKENS})',
    )
    parser.add_argument(
        '--iterations',
        type=int,
        metavar='N',
        help=f'steps per probe (default: {ITERATIONS}, demo {DEMO_ITERATIONS})',
    )
    parser.add_argument(
        '--batch-size', type=int, default=16, metavar='N', help='default: %(default)s'
    )
    parser.add_argument(
        '--features',
        choices=('auto', 'store', 'compute'),
        default='auto',
        help='store features of the training images on disk, or compute them in every '
        'batch (default: store them where it pays and they fit)',
    )
    parser.add_argument(
        '--store',
        type=Path,
        metavar='DIR',
        help='folder for stored features, kept there (default: in --out, until a task '
        'is finished)',
    )
    parser.add_argument(
        '--feature-dtype',
        choices=('float16', 'bfloat16'),
        default='float16',
        help='precision that features are rounded to (default: %(default)s)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        metavar='N',
        help='processes that load images (default: %(default)s)',
    )


def check_numbers(args: argparse.Namespace) -> None:
    """Refuse numbers that make no sense.

    Raises:
        ValueError: Naming the option and what it takes.
    """
    names = ('tokens', 'iterations', 'batch_size', 'train_images', 'val_images')
    for name in names:
        value = getattr(args, name)
        if value is not None and value < 1:
            option = name.replace('_', '-')
            raise ValueError(f'--{option} must be at least 1, got {value}')
    if args.workers < 0:
        raise ValueError(f'--workers must be at least 0, got {args.workers}')
    check_seeds(args.seeds)


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that would repeat a result, or that torch does not take.

    Raises:
        ValueError: Naming the option and what it takes.
    """
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        given = ' '.join(map(str, seeds))
        raise ValueError(f'--seeds must be different and at least 0, got {given}')


def parse_data(words: Sequence[str]) -> dict[str, str]:
    """Read ``TASK=PATH`` words.

    Raises:
        ValueError: A word has another form, or a task has two.
    """
    data: dict[str, str] = {}
    for word in words:
        task, equals, path = word.partition('=')
        if not equals or not path:
            raise ValueError(f'--data takes TASK=PATH, got {word!r}')
        if task in data:
            raise ValueError(f'--data names {task} twice; give one PATH')
        data[task] = path
    return data
