"""`pe-mm demo-data`: render demo scenes with labels into a directory."""

import argparse
import time

HELP = 'render demo scenes: pictures with boxes, masks, depth, captions, and clips'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument('root', metavar='DIR', help='new, empty or earlier directory')
    parser.add_argument(
        '--train', type=int, default=2000, help='training pictures (default: 2000)'
    )
    parser.add_argument(
        '--val', type=int, default=200, help='validation pictures (default: 200)'
    )
    parser.add_argument('--clips', type=int, default=4, help='clips (default: 4)')
    parser.add_argument(
        '--frames', type=int, default=16, help='frames per clip (default: 16)'
    )
    parser.add_argument(
        '--size', type=int, default=256, help='width and height (default: 256)'
    )
    parser.add_argument(
        '--clutter',
        type=float,
        default=1.0,
        help='0 for plain, larger things in quiet rooms, 1 for patterns everywhere '
        '(default: 1)',
    )
    parser.add_argument('--seed', type=int, default=0, help='default: 0')
    parser.add_argument(
        '--workers', type=int, default=None, help='processes (default: one per core)'
    )
    parser.add_argument(
        '--preview',
        action='store_true',
        help='also draw DIR/preview.png: pictures beside their labels',
    )


def run(args: argparse.Namespace) -> int:
    """Make the data, and say what was made."""
    from pe_mm.data.demo_scenes import make_demo_data
    from pe_mm.data.preview import write_preview
    from pe_mm.data.progress import show_progress

    start = time.monotonic()
    with show_progress('demo data') as on_progress:
        root = make_demo_data(
            args.root,
            train=args.train,
            val=args.val,
            clips=args.clips,
            size=args.size,
            seed=args.seed,
            frames=args.frames,
            clutter=args.clutter,
            workers=args.workers,
            on_progress=on_progress,
        )
    print(
        f'{root}: {args.train} training and {args.val} validation pictures, '
        f'{args.clips} clips ({time.monotonic() - start:.0f} s)'
    )
    if args.preview:
        print(f'preview: {write_preview(root)}')
    return 0
