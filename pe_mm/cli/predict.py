"""Predict an image or a directory of images with any mmdet or mmseg config.

What is written to the folder --out, with an image's path under it in place of NAME:
  pictures/NAME.jpg   what was found, drawn over the image
  detectors           predictions.json: COCO's result format, every instance the model
                      returns; images.json: the images and categories that it refers
                      to; COCO('images.json').loadRes('predictions.json') reads both
  panoptic models     panoptic.json, panoptic/NAME.png: COCO's panoptic format,
                      id = R + 256 G + 65536 B; and what detectors give
  segmentation        labels/NAME.png: 0-based class of every pixel, 8 bits (16 for
                      more than 255 classes); predictions.json: classes and areas
  depth               depth/NAME.png: 16 bits, millimetres, 0 where there is none, at
                      most 65.535 m (see --depth-scale); predictions.json: metres
  run.json            whether the run is finished, and what was skipped; a folder
                      without it that has any of the above is refused: it is yours

Images are numbered from 1 by name or, where all file names are numbers, by those;
categories as COCO does for its classes, otherwise from 1.

Exit codes: 0, every image was predicted; 1, some images could not be read, or are none
that the model takes, and were skipped (run.json lists them); 2, an error.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pe_mm.prediction.images import SUFFIXES, count_images

from .encoder_arguments import add_device

if TYPE_CHECKING:
    from pe_mm.prediction.output import SkippedImage

HELP = 'predict images with any mmdet or mmseg config; writes JSON, PNGs and pictures'

EXIT_SKIPPED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm predict`."""
    parser.add_argument('config', metavar='CONFIG', help='config file')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='checkpoint file')
    parser.add_argument(
        'source',
        type=Path,
        metavar='IMAGE_OR_DIR',
        help='an image, or a directory that is searched, with all its folders (also '
        f'linked ones) that are not hidden, for {", ".join(SUFFIXES)}',
    )
    parser.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='folder of the results'
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=1,
        metavar='N',
        help='images of equal size that go through the model together '
        '(default: %(default)s)',
    )
    add_device(parser)
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        metavar='SCORE',
        help='draw instances of this score and above; JSON files have all '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--depth-scale',
        type=float,
        default=1000.0,
        metavar='UNITS',
        help='units of the depth PNGs in a metre, 256 as KITTI has it '
        '(default: 1000, millimetres)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change settings of the config, such as model.test_cfg.mode=slide',
    )


def run(args: argparse.Namespace) -> int:
    """Predict, and say what was written and what was skipped."""
    from pe_mm.data.progress import show_progress
    from pe_mm.engine import load_config
    from pe_mm.prediction.classes import read_classes
    from pe_mm.prediction.files import OutputFolder
    from pe_mm.prediction.images import find_images
    from pe_mm.prediction.loading import build_pipeline, find_device, load_model
    from pe_mm.prediction.output import OutputOptions, make_output, skipped_json
    from pe_mm.prediction.predicting import predict_images

    check_numbers(args)
    cfg = load_config(args.config, options=args.cfg_options, launcher='none')
    images = find_images(args.source, args.out)
    folder = OutputFolder(args.out)
    folder.check_inputs(args.source, images)
    device = find_device(args.device)
    pipeline = build_pipeline(cfg)
    model, meta = load_model(cfg, args.checkpoint, device)
    output_for = partial(
        make_output,
        folder=folder,
        classes=read_classes(model, cfg, meta),
        options=OutputOptions(args.score_thr, args.depth_scale),
    )
    folder.start()
    with show_progress('predictions') as on_progress:
        output, skipped = predict_images(
            model, pipeline, images, output_for, args.batch_size, on_progress
        )
    warnings = output.finish(skipped) if output else []
    predicted = len(images) - len(skipped)
    folder.finish(predicted, skipped_json(skipped))
    for warning in [*warnings, *describe_skipped(skipped, len(images))]:
        print(f'pe-mm: {warning}', file=sys.stderr)
    print(f'{args.out}: predictions of {count_images(predicted)}')
    return EXIT_SKIPPED if skipped else 0


def check_numbers(args: argparse.Namespace) -> None:
    """Refuse numbers that make no sense.

    Raises:
        ValueError: Naming the option and what it takes.
    """
    if args.batch_size < 1:
        raise ValueError(f'--batch-size must be at least 1, got {args.batch_size}')
    if not 0 <= args.score_thr <= 1:
        raise ValueError(f'--score-thr must be 0 to 1, got {args.score_thr}')
    if not 0 < args.depth_scale < float('inf'):
        raise ValueError(f'--depth-scale must be above 0, got {args.depth_scale}')


def describe_skipped(skipped: 'Sequence[SkippedImage]', total: int) -> list[str]:
    """Return a message that lists the images that were skipped, if any."""
    if not skipped:
        return []
    # Names may have bytes that no terminal shows.
    lines = [f'  {image.name!r}: {image.reason}' for image in skipped]
    head = f'skipped {len(skipped)} of {total} images:'
    return ['\n'.join([head, *lines])]
