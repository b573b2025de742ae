"""Draw which patches of two images look alike to an encoder.

Patches are matched by the cosine similarity of one layer's features; a pair counts
where each patch is the other's most similar one.

What is written to the folder --out:
  matches.png   of 6 x 6 regions of the first image, the most similar pair each
  matches.npz   source, target: (M, 2) rows and columns of all pairs, counted from 0;
                similarity: (M,) (--arrays)
"""

import argparse

from pe_mm.cli import encoder_images

HELP = 'draw which patches of two images look alike to an encoder'

REGIONS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm match`."""
    encoder_images.add_arguments(parser)
    parser.add_argument(
        '--layer', default='-1', help='block id, counted from 0 (default: the last)'
    )


def run(args: argparse.Namespace) -> int:
    """Match, draw, and say what was written."""
    import torch

    from pe_mm.analysis.correspondences import match_features, strongest_spread
    from pe_mm.analysis.feature_figures import draw_matches

    loaded, pictures = encoder_images.load(args, args.layer)
    results = encoder_images.Results(args)
    layers = loaded.encoder.out_indices
    if len(layers) != 1:
        raise ValueError(f'--layer is one layer, got {len(layers)}: {layers}')
    if len(pictures) != 2:
        raise ValueError(f'two images are matched, got {len(pictures)}')
    with torch.no_grad():
        maps = [
            loaded.encoder(encoder_images.to_tensor(loaded, picture))[-1]
            for picture in pictures
        ]
    matches = match_features(*maps)
    grids = [tuple(map_.shape[-2:]) for map_ in maps]
    shown = strongest_spread(matches, grids[0], cells=REGIONS)
    title = f'Most similar patches, layer {layers[0]} ({len(shown)} of {len(matches)})'
    figure = draw_matches(shown, [p.pixels for p in pictures], grids, title=title)
    results.write_figure('matches', figure)
    results.write_arrays('matches', vars(matches))
    return 0
