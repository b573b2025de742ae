"""What a finished run shows: its loss curve, pictures of predictions, a results row."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]

_TEXT = cv2.FONT_HERSHEY_SIMPLEX
_ZOOM = 2  # Class names cannot be read at the size of a small picture.


def read_scalars(work_dir: str | Path) -> list[dict[str, float]]:
    """Return the training rows that mmengine logged, by step.

    A resumed run has one log per start; where they overlap the later one counts.
    """
    rows: dict[int, dict[str, float]] = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # The last line of a killed process.
            if 'loss' in row:
                rows[int(row['step'])] = row
    return [rows[step] for step in sorted(rows)]


def draw_loss_curve(rows: Sequence[Mapping[str, float]], path: str | Path) -> None:
    """Plot the loss and its parts over the steps.

    Raises:
        ValueError: There are no rows.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    if not rows:
        raise ValueError('no losses were logged, so there is no curve to draw')
    steps = [row['step'] for row in rows]
    parts = sorted(key for key in rows[0] if key.startswith('loss_'))
    figure, axes = plt.subplots(figsize=(7, 4), layout='constrained')
    for key in ['loss', *parts]:
        width = 2.0 if key == 'loss' else 1.0
        axes.plot(
            steps, [row.get(key, np.nan) for row in rows], label=key, linewidth=width
        )
    axes.set(xlabel='step', ylabel='loss', title='Training loss', ylim=(0, None))
    axes.legend(fontsize='small')
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_instances(
    image: Picture,
    boxes: NDArray[np.floating],
    masks: Sequence[NDArray[np.bool_]] | NDArray[np.bool_],
    names: Sequence[str],
    colors: Sequence[Sequence[int]],
) -> Picture:
    """Draw instances over an enlarged copy of a picture.

    Args:
        image: (H, W, 3) BGR.
        boxes: (N, 4) x0, y0, x1, y1 in pixels.
        masks: (N, H, W).
        names: N texts.
        colors: N colours, BGR.
    """
    size = (image.shape[1] * _ZOOM, image.shape[0] * _ZOOM)
    canvas = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    for mask, color in zip(masks, colors, strict=True):
        large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
        inside = large > 0
        canvas[inside] = (0.6 * canvas[inside] + 0.4 * np.array(color)).astype(np.uint8)
    for box, name, color in zip(boxes, names, colors, strict=True):
        x0, y0, x1, y1 = (int(round(_ZOOM * float(value))) for value in box)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), tuple(color), 1, cv2.LINE_AA)
        (width, height), _ = cv2.getTextSize(name, _TEXT, 0.4, 1)
        x = max(0, min(x0, size[0] - width - 4))
        y = max(y0, height + 6)
        cv2.rectangle(canvas, (x, y - height - 6), (x + width + 4, y), tuple(color), -1)
        cv2.putText(canvas, name, (x + 2, y - 4), _TEXT, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def tile_pairs(
    pairs: Sequence[tuple[Picture, Picture]], *, titles: tuple[str, str], columns: int
) -> Picture:
    """Put pairs of equally large pictures into a grid, with a title over each."""
    gap, head = 8, 24
    cells = []
    for pair in pairs:
        halves = []
        for title, picture in zip(titles, pair, strict=True):
            half = cv2.copyMakeBorder(
                picture,
                head,
                gap,
                gap // 2,
                gap // 2,
                cv2.BORDER_CONSTANT,
                value=(255,) * 3,
            )
            cv2.putText(half, title, (8, 17), _TEXT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
            halves.append(half)
        cells.append(np.hstack(halves))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return np.vstack(rows)


def append_result(path: str | Path, row: Mapping[str, Any]) -> None:
    """Add a row to a jsonl file of results."""
    with Path(path).open('a') as file:
        file.write(json.dumps(row) + '\n')


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
