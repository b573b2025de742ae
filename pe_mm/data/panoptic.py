"""Panoptic labels as COCO stores them: a PNG of segment ids per picture, and a list."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .annotations import CATEGORIES
from .renderer import Labels
from .scene import STUFF
from .storage import encode_png

PANOPTIC_CATEGORIES: list[dict[str, Any]] = [
    *({**category, 'isthing': 1} for category in CATEGORIES),
    *(
        {'id': label, 'name': name, 'supercategory': 'room', 'isthing': 0}
        for label, name in enumerate(STUFF, start=len(CATEGORIES) + 1)
    ),
]
"""COCO panoptic categories; ids are the ADE labels of the same classes."""

_INSTANCE = 256  # What an instance's number counts in a segment id: the green channel.


def panoptic_png(labels: Labels) -> bytes:
    """Encode the segments of a picture as an RGB PNG of COCO's ids R + 256 G + 65536 B.

    Red is the ADE label of the pixel, green the number of its thing, from 1, and 0 in
    the room. A picture's segments so have distinct ids, and 0 is unlabelled.
    """
    blue = np.zeros_like(labels.semantics)
    return encode_png(np.dstack([blue, labels.instances, labels.semantics]))


def read_segment_ids(path: Path) -> NDArray[np.int32]:
    """Read a PNG of COCO's segment ids: (H, W), 0 where nothing is labelled.

    Grey and indexed PNGs hold the ids as they are.
    """
    pixels = np.asarray(Image.open(path)).astype(np.int32)
    if pixels.ndim == 2:
        return pixels
    red, green, blue = np.moveaxis(pixels, -1, 0)
    ids: NDArray[np.int32] = red + 256 * green + 65536 * blue
    return ids


def segment_records(ids: NDArray[np.int32]) -> list[dict[str, Any]]:
    """Describe the segments of one picture as COCO does, in the order of their ids.

    Args:
        ids: (H, W) ids as `panoptic_png` assigns them.

    Returns:
        One record per segment: id, category, box (x, y, width, height) around whole
        pixels, area in pixels.
    """
    records = []
    for segment in np.unique(ids[ids > 0]).tolist():
        mask = (ids == segment).astype(np.uint8)
        records.append(
            {
                'id': segment,
                'category_id': segment % _INSTANCE,
                'bbox': list(cv2.boundingRect(mask)),
                'area': int(mask.sum()),
                'iscrowd': 0,
            }
        )
    return records
