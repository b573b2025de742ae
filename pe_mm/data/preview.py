"""One picture that shows demo data beside its labels."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .scene import CLASSES, PALETTE
from .storage import MANIFEST, image_paths, write_bytes

Picture = NDArray[np.uint8]

COLUMNS = 2  # Scenes side by side; each is four pictures wide.


def write_preview(
    root: str | Path, *, split: str = 'training', scenes: int = 12
) -> Path:
    """Draw `root`/preview.png and return its path.

    Args:
        root: Directory made by `make_demo_data`.
        split: 'training' or 'validation'.
        scenes: Number of scenes, from the first.

    Raises:
        FileNotFoundError: `root` is not a finished directory of demo data.
    """
    root = Path(root)
    path = root / 'preview.png'
    sheet = contact_sheet(root, split=split, scenes=scenes)
    write_bytes(path, cv2.imencode('.png', sheet[..., ::-1])[1].tobytes())
    return path


def contact_sheet(
    root: str | Path, *, split: str = 'training', scenes: int = 12
) -> Picture:
    """Lay out scenes, each as picture, instances, semantics and depth; RGB.

    Args:
        root: Directory made by `make_demo_data`.
        split: 'training' or 'validation'.
        scenes: Number of scenes, from the first.

    Raises:
        FileNotFoundError: `root` is not a finished directory of demo data.
    """
    root = Path(root)
    index = root / 'annotations' / f'instances_{split}.json'
    if not (root / MANIFEST).exists() or not index.exists():
        raise FileNotFoundError(
            f'{root} has no finished demo data; make it with `pe-mm demo-data {root}`'
        )
    coco = json.loads(index.read_text())
    records = defaultdict(list)
    for record in coco['annotations']:
        records[record['image_id']].append(record)
    tiles = [
        _draw_scene(image_paths(root, split, k), records[k + 1])
        for k in range(min(scenes, len(coco['images'])))
    ]
    if not tiles:
        raise FileNotFoundError(f'{root} has no {split} pictures to show')
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [
        np.hstack(tiles[start : start + COLUMNS])
        for start in range(0, len(tiles), COLUMNS)
    ]
    return np.vstack(rows)


def _draw_scene(paths: dict[str, Path], records: list[dict[str, Any]]) -> Picture:
    image, semantics, depth = (
        _read(paths[kind]) for kind in ('image', 'semantics', 'depth')
    )
    colors = np.array([(0, 0, 0), *PALETTE], dtype=np.uint8)
    return np.hstack(
        [image, draw_instances(image, records), colors[semantics], draw_depth(depth)]
    )


def _read(path: Path) -> NDArray[Any]:
    """Read a picture as RGB, or labels as they are."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise FileNotFoundError(f'{path} is missing or is not a picture')
    return picture[..., ::-1] if picture.ndim == 3 else picture


def draw_instances(image: Picture, records: list[dict[str, Any]]) -> Picture:
    """Draw COCO polygons, boxes and names over a picture (H, W, 3) RGB."""
    canvas = (image // 2).astype(np.uint8)
    for record in records:
        color = PALETTE[record['category_id'] - 1]
        # Four bits of fraction, so that borders are drawn where they are.
        parts = [
            np.rint((np.reshape(part, (-1, 2)) - 0.5) * 16).astype(np.int32)
            for part in record['segmentation']
        ]
        filled = canvas.copy()
        cv2.fillPoly(filled, parts, color, cv2.LINE_AA, 4)
        canvas = (canvas // 2 + filled // 2).astype(np.uint8)
        x, y, width, height = record['bbox']
        corner = (x + width - 1, y + height - 1)
        cv2.rectangle(canvas, (x, y), corner, color, 1)
    for record in records:
        x, y = record['bbox'][:2]
        name = CLASSES[record['category_id'] - 1]
        font = cv2.FONT_HERSHEY_SIMPLEX
        place = (x + 2, max(y + 10, 10))
        cv2.putText(canvas, name, place, font, 0.35, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(canvas, name, place, font, 0.35, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def draw_depth(depth: NDArray[Any]) -> Picture:
    """Colour depth (H, W), in any unit, from near (bright) to far (dark)."""
    nearness = 1 / depth.astype(np.float32)
    low, high = nearness.min(), nearness.max()
    scaled = 255 * (nearness - low) / max(high - low, 1e-9)
    colored = cv2.applyColorMap(scaled.astype(np.uint8), cv2.COLORMAP_MAGMA)
    return colored[..., ::-1].astype(np.uint8)
