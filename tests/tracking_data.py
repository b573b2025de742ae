"""Clips in DAVIS' layout, of squares that move by whole tokens."""

from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

# Of the masks: like no other palette, so that a lost one is noticed.
PALETTE = [0, 0, 0, 200, 10, 20, 30, 220, 40] + [7] * (253 * 3)
_COLORS = np.array([[40, 90, 40], [30, 30, 220], [210, 60, 30]], np.uint8)  # BGR


def write_clip(
    root: Path,
    name: str = 'moving',
    frames: int = 5,
    *,
    annotated: Collection[int] | None = None,
    split: str = 'val',
) -> Path:
    """Add a clip of 48 x 80 pixels with two objects, the first of which moves right.

    Args:
        root: Folder of the data.
        name: Name of the clip, which is added to the list of the split.
        frames: Number of frames; the object moves by 8 pixels in each.
        annotated: Frames with a mask; None for all.
        split: Name of the split.
    """
    images, masks, lists = (
        root / part
        for part in ('JPEGImages/480p', 'Annotations/480p', 'ImageSets/2017')
    )
    for folder in (images / name, masks / name, lists):
        folder.mkdir(parents=True, exist_ok=True)
    for index in range(frames):
        ids = np.zeros((48, 80), np.uint8)
        ids[16:32, 8 * index : 8 * index + 16] = 1
        ids[0:16, 48:64] = 2
        cv2.imwrite(str(images / name / f'{index:05d}.jpg'), _COLORS[ids])
        if annotated is None or index in annotated:
            picture = Image.fromarray(ids)
            picture.putpalette(PALETTE)
            picture.save(masks / name / f'{index:05d}.png')
    with (lists / f'{split}.txt').open('a') as file:
        file.write(f'{name}\n')
    return root
