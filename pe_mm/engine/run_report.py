"""What a finished run shows: its loss curve, pictures of predictions."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from pe_mm.prediction.drawing import Picture

_TEXT = cv2.FONT_HERSHEY_SIMPLEX


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


def tile_scenes(
    scenes: Sequence[Sequence[tuple[Picture, Picture]]],
    *,
    titles: Sequence[str],
    columns: int,
) -> Picture:
    """Put labels over predictions for every scene, the tasks side by side.

    Args:
        scenes: Per scene and task the pictures of labels and prediction, all of one
            size.
        titles: What stands over the pictures of a scene: of the labels of all tasks,
            then of the predictions.
        columns: Scenes side by side; the last row is filled with white.
    """
    cells = []
    for scene in scenes:
        pictures = [pair[row] for row in (0, 1) for pair in scene]
        titled = [_titled(*pair) for pair in zip(titles, pictures, strict=True)]
        tasks = len(scene)
        cells.append(np.vstack([np.hstack(titled[:tasks]), np.hstack(titled[tasks:])]))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return np.vstack(rows)


def _titled(title: str, picture: Picture) -> Picture:
    gap, head = 8, 24
    framed = cv2.copyMakeBorder(
        picture, head, gap, gap // 2, gap // 2, cv2.BORDER_CONSTANT, value=(255,) * 3
    )
    cv2.putText(framed, title, (8, 17), _TEXT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return framed


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
