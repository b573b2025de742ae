"""Look for global tokens: at which layer they appear, how many, and where.

A patch is global by its attention where at least half of all tokens pay it 8 times the
fair share 1/N or more (mean of the heads; not in windowed layers, where no patch is
seen by all), and by its norm where its features are 3 times as long as the median
patch's. They appear in the first layer in which at least half of the images have one.

What is written to the folder --out:
  global_tokens.png   both signs and the numbers over the layers, and where they are
  global_tokens.npz   all numbers (--arrays)
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pe_mm.cli import encoder_images
from pe_mm.cli.encoder_arguments import add_layers

if TYPE_CHECKING:
    from pe_mm.analysis.global_tokens import GlobalTokens

HELP = 'tell at which layer of an encoder global tokens appear, and how many'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm global-tokens`."""
    encoder_images.add_arguments(parser, timm=False)
    add_layers(parser)


def run(args: argparse.Namespace) -> int:
    """Look, draw, and say what was found and what was written."""
    from pe_mm.analysis.global_token_figure import draw_global_tokens
    from pe_mm.analysis.global_tokens import find_global_tokens

    loaded, pictures = encoder_images.load(args, args.layers)
    results = encoder_images.Results(args)
    found = [
        find_global_tokens(loaded.encoder, encoder_images.to_tensor(loaded, picture))
        for picture in pictures
    ]
    print('\n'.join(describe(found)))
    figure = draw_global_tokens(found, [picture.pixels for picture in pictures])
    results.write_figure('global_tokens', figure)
    arrays = encoder_images.fields_by_image(pictures, found)
    results.write_arrays('global_tokens', arrays)
    return 0


def describe(found: 'Sequence[GlobalTokens]') -> list[str]:
    """Return a line per layer that has global tokens, and two on where they appear."""
    from pe_mm.analysis.global_tokens import first_layer

    lines = []
    signs = {
        'attention': [image.by_attention for image in found],
        'norm': [image.by_norm for image in found],
    }
    layers = found[0].layers
    for name, masks in signs.items():
        counts = [[int(layer.sum()) for layer in mask] for mask in masks]
        for layer, numbers in zip(layers, zip(*counts, strict=True), strict=True):
            having = sum(number > 0 for number in numbers)
            if having:
                lines.append(
                    f'layer {layer}: {sum(numbers)} global by {name} in {having} of '
                    f'{len(found)} images'
                )
        if name == 'attention' and all(all(image.windowed) for image in found):
            lines.append('by attention, nothing can be told: all layers are windowed')
            continue
        first = first_layer(layers, masks)
        lines.append(
            f'by {name}, global tokens appear '
            + ('in no layer' if first is None else f'in layer {first}')
            + ' of at least half of the images'
        )
    return lines
