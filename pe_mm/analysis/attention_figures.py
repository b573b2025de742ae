"""Figures of attention: maps of chosen tokens, and its reach and spread over layers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pe_mm.prediction.images import count_images

from .attention_maps import CLASS_TOKEN, AttentionMaps
from .figures import (
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    extent_of,
    mark_patches,
    new_figure,
    show_picture,
    spread_layers,
    title_columns,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours' range in fair shares; what is less, or out of the window, is dark.
_LEAST = 0.1


def draw_attention(
    maps: AttentionMaps, picture: NDArray[np.uint8], *, head: int | None = None
) -> 'Figure':
    """Draw what chosen tokens attend to, and what is attended to, over the layers.

    Args:
        maps: The measured attention.
        picture: (H, W, 3) RGB, the image.
        head: The head to show; None for the mean of all.

    Raises:
        ValueError: There is no such head.
    """
    heads = maps.distance.shape[1]
    if head is not None and not 0 <= head < heads:
        raise ValueError(f'head {head} does not exist: heads are 0..{heads - 1}')
    rows = [_one_head(maps.on_grid(m), head) for m in maps.maps.swapaxes(0, 1)]
    shares = maps.received.shape[-1]
    rows = [shares * row for row in rows]
    rows.append(_one_head(maps.on_grid(maps.received), head))
    who = 'mean of the heads' if head is None else f'head {head}'
    shown = spread_layers(maps.layers)
    return _draw_rows(
        picture,
        [[row[position] for position in shown] for row in rows],
        f'Attention of chosen tokens, and received by each patch ({who})',
        [_layer_title(maps, position) for position in shown],
        [*(f'from\n{_token_name(token)}' for token in maps.tokens), 'received'],
        [*(_patch(token) for token in maps.tokens), None],
    )


def draw_heads(maps: AttentionMaps, picture: NDArray[np.uint8]) -> 'Figure':
    """Draw what the first chosen token attends to, a row per head, a column per layer.

    Args:
        maps: The measured attention, of one token at least.
        picture: (H, W, 3) RGB, the image.
    """
    grids = maps.received.shape[-1] * maps.on_grid(maps.maps[:, 0])
    shown = spread_layers(maps.layers)
    heads = range(grids.shape[1])
    return _draw_rows(
        picture,
        [[grids[position, head] for position in shown] for head in heads],
        f'Attention of {_token_name(maps.tokens[0])}, head by head',
        [_layer_title(maps, position) for position in shown],
        [f'head {head}' for head in heads],
        [_patch(maps.tokens[0])] * len(heads),
    )


def draw_attention_layers(measured: Sequence[AttentionMaps]) -> 'Figure':
    """Draw mean attention distance and entropy over the layers, means of the images.

    Args:
        measured: The attention of the same layers for every image.
    """
    first = measured[0]
    figure = new_figure(3.2)
    for axes, values, uniform, label in zip(
        figure.subplots(1, 2),
        ([m.distance for m in measured], [m.entropy for m in measured]),
        (
            np.mean([_uniform_distance(m.grid) for m in measured]),
            np.mean([np.log2(m.received.shape[-1]) for m in measured]),
        ),
        ('mean attention distance (tokens)', 'attention entropy (bits)'),
        strict=True,
    ):
        mean = np.mean(values, axis=0)
        for head in mean.T:
            axes.plot(first.layers, head, 'o', color=BLUE, alpha=0.5, markersize=4)
        axes.plot(first.layers, mean.mean(1), color=ORANGE, label='mean of the heads')
        axes.plot([], [], 'o', color=BLUE, alpha=0.5, markersize=4, label='one head')
        axes.axhline(
            uniform, color=GREY, linestyle='--', label='attention to all alike'
        )
        shade_windowed(axes, first.layers, first.windowed)
        axes.set(xlabel='layer (0 is the first)', ylabel=label, ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize='small')
    figure.suptitle(f'Attention over the layers, {count_images(len(measured))}')
    return figure


def shade_windowed(
    axes: 'Axes', layers: Sequence[int], windowed: Sequence[bool]
) -> None:
    """Tint the layers that attend in windows, and number all layers."""
    for layer, inside in zip(layers, windowed, strict=True):
        if inside:
            axes.axvspan(layer - 0.5, layer + 0.5, color=GREY, alpha=0.15, linewidth=0)
    if any(windowed):
        axes.fill_between([], [], color=GREY, alpha=0.15, label='windowed layer')
    axes.set_xticks([layers[position] for position in spread_layers(layers, 13)])
    axes.set_xlim(layers[0] - 0.5, layers[-1] + 0.5)


def _draw_rows(
    picture: NDArray[np.uint8],
    rows: Sequence[Sequence[NDArray[np.float32]]],
    title: str,
    columns: Sequence[str],
    labels: Sequence[str],
    marks: Sequence[tuple[int, int] | None],
) -> 'Figure':
    """Draw rows of maps, in fair shares, each after the image with the row's token."""
    from matplotlib.colors import LogNorm

    grid = rows[0][0].shape
    cell = WIDTH / (len(columns) + 2.2)
    figure = new_figure(0.8 + len(rows) * (cell * grid[0] / grid[1] + 0.06))
    top = max(10 * _LEAST, *(map_.max() for row in rows for map_ in row))
    norm = LogNorm(_LEAST, top, clip=True)
    panels = figure.subplots(len(rows), len(columns) + 1, squeeze=False)
    drawn: Any = None
    for row, line, label, mark in zip(rows, panels, labels, marks, strict=True):
        show_picture(line[0], picture, extent=extent_of(grid))
        line[0].set_ylabel(label)
        for axes, map_ in zip(line[1:], row, strict=True):
            drawn = show_picture(axes, map_, norm=norm, cmap='viridis')
        if mark is not None:
            mark_patches(line, [mark], 's', ORANGE, size=6)
    title_columns(panels, ['image', *columns])
    figure.colorbar(
        drawn, ax=panels, label='attention, in fair shares (1/N)', aspect=30, pad=0.01
    )
    figure.suptitle(title)
    return figure


def _one_head(values: NDArray[np.float32], head: int | None) -> NDArray[np.float32]:
    """Take a head, or the mean, of (L, H, rows, columns)."""
    return values.mean(1) if head is None else values[:, head]


def _layer_title(maps: AttentionMaps, position: int) -> str:
    kind = '\nwindowed' if maps.windowed[position] else ''
    return f'layer {maps.layers[position]}{kind}'


def _token_name(token: Any) -> str:
    if token == CLASS_TOKEN:
        return 'class token'
    return f'patch {token[0]},{token[1]}'


def _patch(token: Any) -> tuple[int, int] | None:
    return None if token == CLASS_TOKEN else token


def _uniform_distance(grid: tuple[int, int]) -> float:
    """Return the mean distance of two patches, of a patch to itself included."""
    # So many ordered pairs are 0, 1, 2, ... apart along an axis.
    counts = [np.r_[n, 2 * np.arange(n - 1, 0, -1)] for n in grid]
    apart = np.hypot(*np.ogrid[: grid[0], : grid[1]])
    return float((np.outer(*counts) * apart).sum() / np.prod(grid) ** 2)
