"""Draw the features of an encoder as colours (arXiv 2504.13181, appendix B.3.2).

Features are blurred, projected to their first three principal components, and those
become lightness, chroma and hue. Equal colours mean alike features: in all images and
layers, or with --basis layer in all images of a layer.

What is written to the folder --out:
  pca.png   a row for each of the first 8 images, a column for each of 6 layers, spread
            over the chosen ones where those are more
  pca.npz   NAME.LAYER: (rows, columns, 3) components, scaled to 0..1 (--arrays)
"""

import argparse

from pe_mm.cli import encoder_images
from pe_mm.cli.encoder_arguments import add_layers

HELP = 'draw the features of an encoder as colours'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm pca`."""
    encoder_images.add_arguments(parser)
    add_layers(parser)
    parser.add_argument(
        '--basis',
        choices=('all', 'layer'),
        default='all',
        help='one basis for all images and layers, or one per layer for all images '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--foreground',
        action='store_true',
        help='colour the foreground only: the part on one side of the first component '
        'that has less of the borders of the images',
    )


def run(args: argparse.Namespace) -> int:
    """Encode, draw, and say what was written."""
    import torch

    from pe_mm.analysis.feature_figures import draw_feature_colors
    from pe_mm.analysis.feature_pca import color_features

    loaded, pictures = encoder_images.load(args, args.layers)
    results = encoder_images.Results(args)
    with torch.no_grad():
        maps = [
            loaded.encoder(encoder_images.to_tensor(loaded, picture))
            for picture in pictures
        ]
    colors = color_features(maps, basis=args.basis, foreground=args.foreground)
    layers = loaded.encoder.out_indices
    figure = draw_feature_colors(colors, [p.pixels for p in pictures], layers)
    results.write_figure('pca', figure)
    results.write_arrays(
        'pca',
        {
            f'{picture.name}.{layer}': scores
            for picture, image in zip(pictures, colors.components, strict=True)
            for layer, scores in zip(layers, image, strict=True)
        },
    )
    return 0
