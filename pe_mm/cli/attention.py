"""Show what the tokens of an encoder attend to, in every layer.

What is written to the folder --out:
  NAME_attention.png   for each image, per layer, what chosen patches attend to, and
                       how much attention each patch receives; mean of all heads
  NAME_heads.png       the same for the first chosen patch, head by head (--per-head)
  attention_layers.png mean attention distance and entropy over the layers
  attention.npz        all numbers, per head and layer (--arrays)

Attention is shown in fair shares: 1 is what each of N tokens would get if all got the
same, 1/N. It is computed from the blocks' own queries and keys, some rows at a time: no
layer's N x N matrix is ever in memory.
"""

import argparse
import re
from typing import TYPE_CHECKING

from pe_mm.cli import encoder_images
from pe_mm.cli.encoder_arguments import add_layers

if TYPE_CHECKING:
    from torch import Tensor

HELP = 'show what the tokens of an encoder attend to, per layer and head'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm attention`."""
    encoder_images.add_arguments(parser, timm=False)
    add_layers(parser)
    parser.add_argument(
        '--tokens',
        nargs='+',
        metavar='ROW,COLUMN',
        help="patches whose attention is shown, counted from 0, or 'class' for the "
        'class token (default: the patch in the middle)',
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        '--head', type=int, metavar='HEAD', help='show one head, not the mean of all'
    )
    choice.add_argument(
        '--per-head', action='store_true', help='draw NAME_heads.png as well'
    )


def run(args: argparse.Namespace) -> int:
    """Measure, draw, and say what was written."""
    from pe_mm.analysis.attention_figures import (
        draw_attention,
        draw_attention_layers,
        draw_heads,
    )
    from pe_mm.analysis.attention_maps import measure_attention

    tokens = [parse_token(text) for text in args.tokens or ()]
    loaded, pictures = encoder_images.load(args, args.layers)
    results = encoder_images.Results(args)
    measured = []
    for picture in pictures:
        image = encoder_images.to_tensor(loaded, picture)
        chosen = tokens or [middle_patch(image, loaded.encoder.patch_size)]
        maps = measure_attention(loaded.encoder, image, chosen)
        measured.append(maps)
        figure = draw_attention(maps, picture.pixels, head=args.head)
        results.write_figure(f'{picture.name}_attention', figure)
        if args.per_head:
            figure = draw_heads(maps, picture.pixels)
            results.write_figure(f'{picture.name}_heads', figure)
    results.write_figure('attention_layers', draw_attention_layers(measured))
    arrays = encoder_images.fields_by_image(pictures, measured)
    for name in arrays:
        if name.endswith('.tokens'):
            arrays[name] = [str(token) for token in arrays[name]]
    results.write_arrays('attention', arrays)
    return 0


def middle_patch(image: 'Tensor', patch_size: int) -> tuple[int, int]:
    """Return row and column of the patch in the middle of (1, 3, H, W)."""
    return image.shape[-2] // patch_size // 2, image.shape[-1] // patch_size // 2


def parse_token(text: str) -> str | tuple[int, int]:
    """Read a token as ``measure_attention`` takes it.

    Raises:
        ValueError: It is neither ROW,COLUMN nor 'class'.
    """
    if text == 'class':
        return text
    place = re.fullmatch(r'(\d+),(\d+)', text)
    if place is None:
        raise ValueError(
            f"--tokens {text!r} is no token; give ROW,COLUMN such as 3,12, or 'class'"
        )
    return int(place[1]), int(place[2])
