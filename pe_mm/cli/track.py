"""Track the objects of clips with an encoder that nobody trained for it.

The masks of the first frames are carried on by feature similarity, once for every layer
that is wanted, in one pass. What is written to the folder --out:
  masks/layer-NN/CLIP/FRAME.png   object ids, with the size, the names and the colours
                                  of the annotation; masks/layer-NN is what DAVIS-2017's
                                  official evaluation takes as --results_path
  metrics.json, metrics.csv       J, F and J&F of every layer, in percent, where frames
                                  after the first are annotated
  objects.csv                     the same for every object
  overlays/                       with --overlay: CLIP.jpg, frames in columns and layers
                                  in rows, or CLIP-layer-NN.mp4
  run.json, sequences/CLIP.json   the settings, and which clips are finished: the same
                                  command again goes on where an earlier run was stopped

ENCODER is a config, of which model.backbone is built, the name of a variant, such as
PE-Spatial-B16-512, or timm/NAME with timm's name of a vision transformer. Layers are
block ids from 0; papers count from 1.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .encoder_arguments import LAYERS_HELP, add_device, add_encoder

if TYPE_CHECKING:
    from pe_mm.engine.encoder_loading import LoadedEncoder
    from pe_mm.tracking.davis_dataset import Clip
    from pe_mm.tracking.protocols import Protocol

HELP = 'track objects through clips with any layer of an encoder; scores J and F'

OVERLAYS = ('sheet', 'video')
NO_LIMIT = 'none'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm track`."""
    add_encoder(parser)
    parser.add_argument(
        'data',
        type=Path,
        metavar='DIR',
        help='DAVIS-2017: the folder of JPEGImages/480p and Annotations/480p; or demo '
        'data',
    )
    parser.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='folder of the results'
    )
    parser.add_argument(
        '--layers',
        metavar='IDS',
        help=f"{LAYERS_HELP} (default: the config's out_indices; a variant's last)",
    )
    parser.add_argument(
        '--split',
        default='val',
        help="list in ImageSets/2017, or 'all' for every clip (default: %(default)s)",
    )
    parser.add_argument(
        '--sequences', nargs='+', metavar='CLIP', help='only these clips of the split'
    )
    parser.add_argument('--overlay', choices=OVERLAYS, help='draw the results too')
    add_device(parser)
    add_protocol_arguments(parser)


def add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which settings labels are carried with."""
    group = parser.add_argument_group(
        'settings', "of a published protocol, or changed (the table then says 'NAME*')"
    )
    group.add_argument(
        '--protocol',
        default='dino',
        metavar='NAME',
        help='dino, dinov3 or pe (default: %(default)s)',
    )
    group.add_argument(
        '--resolution', type=int, metavar='PIXELS', help="a frame's short side"
    )
    group.add_argument(
        '--last-frames', type=int, metavar='N', help='besides the first frame'
    )
    group.add_argument(
        '--radius', metavar='TOKENS', help=f"around a token; '{NO_LIMIT}' for no limit"
    )
    group.add_argument('--neighborhood', choices=('square', 'circle'))
    group.add_argument('--top-k', type=int, metavar='K', help='tokens to take from')
    group.add_argument('--temperature', type=float, metavar='T')


def run(args: argparse.Namespace) -> int:
    """Track, write and print the scores, and say what was not scored."""
    from pe_mm.data.progress import show_progress
    from pe_mm.engine.encoder_loading import load_encoder
    from pe_mm.layers import parse_layers
    from pe_mm.prediction.loading import find_device
    from pe_mm.tracking.davis_dataset import DavisDataset
    from pe_mm.tracking.output import TrackFolder
    from pe_mm.tracking.running import check_clips, describe_run, track_clips

    protocol = read_protocol(args)
    layers = None if args.layers is None else parse_layers(args.layers)
    names = None if args.sequences is None else tuple(args.sequences)
    data = DavisDataset(args.data, split=args.split, sequences=names)
    clips = [data.clip(name) for name in data.names]
    device = find_device(args.device)
    loaded = load_encoder(args.encoder, args.weights, layers=layers, device=device)
    warn_of(check_clips(loaded, clips, protocol))
    facts = describe_run(loaded, protocol, data.root)
    folder = TrackFolder(args.out, facts)
    with show_progress('frames') as on_progress:
        results = track_clips(loaded, clips, protocol, folder, on_progress)
    unscored = [name for name, scores in results.items() if not all(scores.values())]
    if unscored:
        reason = 'have no scores, with fewer than three annotated frames'
        listed = ', '.join(unscored)
        warn_of([f'{len(unscored)} of {len(clips)} clips {reason}: {listed}'])
    table = folder.write_tables([s for n, s in results.items() if n not in unscored])
    if table:
        print_table(table, protocol_line(loaded, clips, protocol))
    if args.overlay:
        from pe_mm.tracking.drawing import draw_clips

        warn_of(draw_clips(args.overlay, loaded.encoder.out_indices, clips, folder))
    print(f'{args.out}: masks of {len(clips)} clip{"" if len(clips) == 1 else "s"}')
    return 0


def read_protocol(args: argparse.Namespace) -> 'Protocol':
    """Return the named protocol with the settings that were given.

    Raises:
        ValueError: A setting makes no sense.
    """
    from pe_mm.tracking.protocols import make_protocol

    given = {
        'side': args.resolution,
        'last_frames': args.last_frames,
        'radius': args.radius,
        'shape': args.neighborhood,
        'top_k': args.top_k,
        'temperature': args.temperature,
    }
    changes: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    if args.radius is not None:
        try:
            changes['radius'] = None if args.radius == NO_LIMIT else float(args.radius)
        except ValueError as error:
            raise ValueError(
                f'--radius takes a number of tokens or {NO_LIMIT!r}, got {args.radius}'
            ) from error
    return make_protocol(args.protocol, **changes)


def protocol_line(
    loaded: 'LoadedEncoder', clips: 'Sequence[Clip]', protocol: 'Protocol'
) -> str:
    """Say what the numbers depend on: without it they compare with nothing."""
    from pe_mm.tracking.clip_tracking import encoded_size

    patch = loaded.encoder.patch_size
    sizes = sorted({encoded_size(loaded, clip.size, protocol) for clip in clips})
    shown = ', '.join(
        f'{h} x {w} ({h // patch} x {w // patch} tokens)' for h, w in sizes
    )
    radius = 'any distance'
    if protocol.radius is not None:
        radius = f'{protocol.shape} of radius {protocol.radius:g}'
    return (
        f'{loaded.label}, weights {loaded.weights_hash[:12]}; '
        f'protocol {protocol.name}: {shown}, '
        f'first + last {protocol.last_frames} frames, {radius}, '
        f'top {protocol.top_k}, T = {protocol.temperature:g}'
    )


def print_table(table: 'Sequence[Mapping[str, Any]]', caption: str) -> None:
    """Print a row for every layer, the best J&F marked."""
    best = max(row['J&F-Mean'] for row in table)
    widths = [len(name) for name in table[0]]
    print(caption)
    print('  '.join(table[0]))
    for row in table:
        cells = (f'{v:.1f}' if isinstance(v, float) else str(v) for v in row.values())
        line = '  '.join(f'{c:>{w}}' for c, w in zip(cells, widths, strict=True))
        print(line + ('  best' if row['J&F-Mean'] == best and len(table) > 1 else ''))


def warn_of(messages: 'Sequence[str]') -> None:
    """Print warnings where they do not mix with the results."""
    for message in messages:
        print(f'pe-mm: {message}', file=sys.stderr)
