"""What all figures share: their size, their layers, how they are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pe_mm.checkpoints.writing import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 9.0  # Inches; with DPI the 900 pixels that a README shows.
DPI = 100
MAX_COLUMNS = 6
MAX_ROWS = 8

# Colours that colour-blind people tell apart (Okabe and Ito, 2008).
BLUE, ORANGE, GREY = '#0072b2', '#d55e00', '#999999'


def new_figure(height: float) -> 'Figure':
    """Make an empty figure, ``height`` in inches; needs the extra 'plots'."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout='constrained')


def save_figure(figure: 'Figure', path: Path) -> None:
    """Write a figure as PNG, whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    canvas.draw()
    # Without the alpha channel that savefig writes the file is a tenth smaller.
    picture = np.asarray(canvas.buffer_rgba())[..., :3]
    with atomic_file(path) as temporary:
        Image.fromarray(picture).save(temporary, format='PNG', optimize=True)


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays as a compressed npz file, whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    with atomic_file(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **arrays)


def spread_layers(layers: Sequence[int], count: int = MAX_COLUMNS) -> list[int]:
    """Return positions of at most ``count`` layers, the first and last among them."""
    chosen = np.linspace(0, len(layers) - 1, min(count, len(layers)))
    return [int(position) for position in np.rint(chosen)]


def show_picture(axes: 'Axes', picture: Any, **options: Any) -> Any:
    """Show a picture or a map without ticks; returns what a colour bar needs."""
    axes.set(xticks=[], yticks=[])
    return axes.imshow(picture, **options)


def extent_of(grid: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return the extent that lays a picture over a map of rows and columns."""
    return (-0.5, grid[1] - 0.5, grid[0] - 0.5, -0.5)


def title_columns(panels: Any, titles: Sequence[str]) -> None:
    """Write titles over the first row of an array of axes."""
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize='medium')


def mark_patches(
    panels: Sequence['Axes'], places: Any, marker: str, color: str, *, size: int = 9
) -> None:
    """Frame patches, (row, column) each, in a colour that white sets off."""
    rows, columns = np.reshape(places, (-1, 2)).T
    for axes in panels:
        for edge, width in (('w', 3.5), (color, 1.8)):
            axes.plot(
                columns,
                rows,
                marker,
                markersize=size,
                color='none',
                mec=edge,
                mew=width,
            )
