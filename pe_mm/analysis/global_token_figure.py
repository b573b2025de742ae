"""The figure of global tokens: from which layer on, how many, and where they are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pe_mm.prediction.images import count_images

from .attention_figures import shade_windowed
from .figures import (
    BLUE,
    ORANGE,
    WIDTH,
    extent_of,
    mark_patches,
    new_figure,
    show_picture,
    title_columns,
)
from .global_tokens import GlobalTokens, first_layer

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_MAX_IMAGES = 3
_MAX_LAYERS = 3
# Less attention, in fair shares, has one colour and one height.
_LEAST = 0.1
_IMAGE_LINE: dict[str, Any] = {
    'marker': 'o',
    'color': BLUE,
    'alpha': 0.4,
    'markersize': 4,
}


def draw_global_tokens(
    all_found: Sequence[GlobalTokens], pictures: Sequence[NDArray[np.uint8]]
) -> 'Figure':
    """Draw both signs and the counts over the layers, and places in some images.

    Args:
        all_found: What was found in each image, in the same layers.
        pictures: (H, W, 3) RGB, the images.
    """
    found, pictures = all_found[:_MAX_IMAGES], pictures[:_MAX_IMAGES]
    # Whether a layer is windowed depends on the size of the image, too.
    whole = [
        position
        for position in range(len(all_found[0].layers))
        if not any(image.windowed[position] for image in all_found)
    ]
    shown = _layers_to_show(all_found, whole)
    cell = WIDTH / (len(shown) + 3.2)
    heights = [cell * f.norm.shape[1] / f.norm.shape[2] + 0.1 for f in found]
    figure = new_figure(2.8 + sum(heights) + 0.8)
    parts: Any = figure.subfigures(2, 1, height_ratios=[2.8, sum(heights) + 0.4])
    top, bottom = parts
    _draw_layers(top, all_found)
    _draw_places(bottom, found, pictures, shown)
    figure.suptitle(f'Global tokens, {count_images(len(all_found))}')
    return figure


def _draw_layers(figure: 'SubFigure', found: Sequence[GlobalTokens]) -> None:
    first = found[0]
    attention, norm, counts = figure.subplots(1, 3)
    for image in found:
        strongest = np.maximum(image.attention.max((1, 2)), _LEAST)
        attention.plot(first.layers, strongest, **_IMAGE_LINE)
        norm.plot(first.layers, image.norm.max((1, 2)), **_IMAGE_LINE)
    for axes, limit in ((attention, first.min_attention), (norm, first.min_norm)):
        axes.plot([], [], **_IMAGE_LINE, label='top patch of an image')
        axes.axhline(limit, color=ORANGE, linestyle='--', label=f'limit: {limit:g}')
    attention.set(yscale='log', ylabel='attention from half of all\n(fair shares)')
    norm.set(ylim=(0, None), ylabel='norm (medians)')
    for shift, color, sign in ((-0.2, ORANGE, 'attention'), (0.2, BLUE, 'norm')):
        masks = [getattr(image, f'by_{sign}') for image in found]
        mean = np.mean([mask.sum((1, 2)) for mask in masks], axis=0)
        places = np.add(first.layers, shift)
        counts.bar(places, mean, 0.4, color=color, label=f'by {sign}')
    counts.set(ylabel='global tokens per image')
    counts.set_ylim(0, max(1, 1.4 * counts.get_ylim()[1]))
    for axes in (attention, norm, counts):
        axes.set_xlabel('layer (0 is the first)')
        axes.grid(alpha=0.3)
        shade_windowed(axes, first.layers, first.windowed)
        axes.legend(fontsize='x-small')


def _draw_places(
    figure: 'SubFigure',
    found: Sequence[GlobalTokens],
    pictures: Sequence[NDArray[np.uint8]],
    shown: Sequence[int],
) -> None:
    """Draw a row per image: the image, attention in some layers, norms in the last."""
    from matplotlib.colors import LogNorm

    layers = found[0].layers
    strongest = [float(np.nanmax(f.attention, initial=0)) for f in found]
    colors = LogNorm(_LEAST, max(10.0, *strongest), clip=True)
    largest = max(found[0].min_norm, *(f.norm[-1].max() for f in found))
    panels = figure.subplots(len(found), len(shown) + 2, squeeze=False)
    attention: Any = None
    for image, picture, line in zip(found, pictures, panels, strict=True):
        show_picture(line[0], picture, extent=extent_of(image.norm.shape[1:]))
        for position, axes in zip(shown, line[1:-1], strict=True):
            attention = show_picture(
                axes, image.attention[position], norm=colors, cmap='viridis'
            )
            places = np.argwhere(image.by_attention[position])
            mark_patches([line[0], axes], places, 'o', ORANGE)
        norm = show_picture(
            line[-1], image.norm[-1], vmin=0, vmax=largest, cmap='cividis'
        )
        places = np.argwhere(image.by_norm[-1])
        mark_patches([line[0], line[-1]], places, 's', BLUE)
    names = [f'attention\nlayer {layers[position]}' for position in shown]
    title_columns(panels, ['image', *names, f'norm\nlayer {layers[-1]}'])
    if attention is not None:
        label = 'attention (fair shares)'
        figure.colorbar(attention, ax=panels, label=label, aspect=20, pad=0.01)
    figure.colorbar(norm, ax=panels, label='norm (medians)', aspect=20, pad=0.01)


def _layers_to_show(found: Sequence[GlobalTokens], whole: Sequence[int]) -> list[int]:
    """Return positions of layers: from the one before global tokens appear, or all."""
    layers = [found[0].layers[position] for position in whole]
    masks = [image.by_attention[list(whole)] for image in found]
    first = first_layer(layers, masks) if whole else None
    start = 0 if first is None else max(0, layers.index(first) - 1)
    tail = whole[start:]
    if len(tail) <= _MAX_LAYERS:
        tail = whole[-_MAX_LAYERS:]
        return list(tail)
    # The first ones tell how they appear, the last one what becomes of them.
    return [*tail[: _MAX_LAYERS - 1], tail[-1]]
