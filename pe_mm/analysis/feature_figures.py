"""Figures of features: principal components as colours, and pairs of alike patches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .correspondences import Matches
from .feature_pca import FeatureColors, lch_colors
from .figures import (
    MAX_COLUMNS,
    MAX_ROWS,
    WIDTH,
    new_figure,
    show_picture,
    spread_layers,
    title_columns,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure, SubFigure

_GAP = 0.04  # Between two images, as a share of the first one's width.


def draw_feature_colors(
    colors: FeatureColors,
    pictures: Sequence[NDArray[np.uint8]],
    layers: Sequence[int],
) -> 'Figure':
    """Draw feature pictures, a row per image, a column per layer; some of either.

    Args:
        colors: The feature pictures.
        pictures: (H, W, 3) RGB, the images.
        layers: 0-based block ids.
    """
    shown = spread_layers(layers, MAX_COLUMNS)
    pictures = pictures[:MAX_ROWS]
    cell = WIDTH / (len(shown) + 1)
    heights = [cell * p.shape[0] / p.shape[1] for p in pictures]
    figure = new_figure(sum(heights) + 1.5)
    parts: Any = figure.subfigures(2, 1, height_ratios=[sum(heights) + 0.5, 0.75])
    top, bottom = parts
    panels = top.subplots(
        len(pictures), len(shown) + 1, squeeze=False, height_ratios=heights
    )
    for line, picture, row in zip(panels, pictures, colors.colors, strict=False):
        show_picture(line[0], picture)
        for axes, position in zip(line[1:], shown, strict=True):
            show_picture(axes, row[position], interpolation='nearest')
    titles = (f'layer {layers[position]}' for position in shown)
    title_columns(panels, ['image', *titles])
    _draw_key(bottom, colors)
    shared = len({id(basis) for basis in colors.bases}) == 1
    basis = 'one basis for all images and layers' if shared else 'a basis per layer'
    figure.suptitle(f'Three principal components of the features, {basis}')
    return figure


def draw_matches(
    matches: Matches,
    pictures: Sequence[NDArray[np.uint8]],
    grids: Sequence[tuple[int, int]],
    *,
    title: str,
) -> 'Figure':
    """Draw pairs of patches as lines between two images, coloured by similarity.

    Args:
        matches: The pairs to draw.
        pictures: The two images, (H, W, 3) RGB.
        grids: Rows and columns of patches of both.
        title: What stands above.
    """
    sizes = [picture.shape[:2] for picture in pictures]
    offset = sizes[0][1] * (1 + _GAP)
    width, height = offset + sizes[1][1], max(size[0] for size in sizes)
    figure = new_figure(0.85 * WIDTH * height / width + 0.5)
    axes = figure.subplots()
    for picture, left in zip(pictures, (0.0, offset), strict=True):
        bottom, right = picture.shape[:2]
        # Pale, so that the lines stand out.
        extent = (left, left + right, bottom, 0)
        show_picture(axes, picture, extent=extent, alpha=0.6, interpolation='nearest')
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis('off')
    ends = [
        (patches[:, ::-1] + 0.5) / grid[::-1] * size[::-1] + (left, 0)
        for patches, grid, size, left in zip(
            (matches.source, matches.target), grids, sizes, (0, offset), strict=True
        )
    ]
    colored = _draw_lines(axes, ends, matches.similarity)
    figure.colorbar(colored, ax=axes, label='cosine similarity', aspect=25, pad=0.01)
    axes.set_title(title)
    return figure


def _draw_lines(
    axes: 'Axes', ends: Sequence[NDArray[np.float64]], values: NDArray[np.float32]
) -> 'LineCollection':
    """Draw lines between two times (M, 2) points x, y, coloured by M values."""
    from matplotlib.collections import LineCollection

    lines = list(np.stack(ends, axis=1))
    colored = LineCollection(lines, array=values, cmap='viridis')
    axes.add_collection(
        LineCollection(lines, colors='black', linewidths=2.4, alpha=0.6)
    )
    axes.add_collection(colored)
    for points in ends:
        axes.scatter(
            points[:, 0],
            points[:, 1],
            c=values,
            cmap='viridis',
            edgecolors='black',
            s=22,
            zorder=3,
        )
    return colored


def _draw_key(figure: 'SubFigure', colors: FeatureColors) -> None:
    """Show which colours the three components stand for."""
    explained = np.mean([basis.explained.cpu().numpy() for basis in colors.bases], 0)
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    names = ('1, lightness', '2, chroma', '3, hue')
    for index, (axes, name) in enumerate(
        zip(figure.subplots(1, 3), names, strict=True)
    ):
        strip = np.full((1, len(ramp), 3), 0.6, np.float32)
        strip[0, :, index] = ramp
        show_picture(axes, lch_colors(strip), aspect='auto')
        axes.set_xlabel(
            f'component {name} ({explained[index]:.0%} of variance)', fontsize='small'
        )
