"""Turn labels into the records that COCO, ADE and NYU readers expect."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .renderer import Labels
from .scene import CLASSES, Scene

MILLIMETRES = 1000  # Depth is stored in whole millimetres, as NYU's 16-bit PNGs are.
TOLERANCE = 0.6  # Pixels by which a polygon may leave the border of its mask.
SMALLEST_PART = 3  # Pixels; smaller splinters of a mask get no polygon.

CATEGORIES: list[dict[str, Any]] = [
    {'id': label, 'name': name, 'supercategory': 'solid'}
    for label, name in enumerate(CLASSES, start=1)
]
"""COCO categories; ids are the ADE labels of the same classes."""


def instance_records(scene: Scene, labels: Labels) -> list[dict[str, Any]]:
    """Describe the visible part of every thing as COCO does, without ids.

    Boxes are (x, y, width, height) around whole pixels: a thing that covers the
    columns 3 to 5 has x = 3 and width 3. `area` counts the mask's pixels.
    """
    records = []
    for index, thing in enumerate(scene.things):
        mask = labels.instances == index + 1
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        records.append(
            {
                'category_id': thing.label,
                'bbox': [x, y, width, height],
                'area': int(mask.sum()),
                'segmentation': mask_to_polygons(mask),
                'iscrowd': 0,
            }
        )
    return records


def mask_to_polygons(mask: NDArray[np.bool_]) -> list[list[float]]:
    """Trace a mask along the borders of its pixels.

    Args:
        mask: (H, W), True inside.

    Returns:
        One flat x, y, x, y, ... polygon per connected part. A hole is joined to the
        border around it by a cut of no width, as polygons have no holes.
    """
    height, width = mask.shape
    # Corners of pixels lie at even places of a grid of twice the size; a pixel marks
    # its corners, so that contours there run along its border.
    corners = np.zeros((2 * height + 1, 2 * width + 1), dtype=np.uint8)
    corners[1::2, 1::2] = mask
    corners = cv2.dilate(corners, np.ones((3, 3), dtype=np.uint8))
    contours, hierarchy = cv2.findContours(
        corners, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    polygons = []
    for index, contour in enumerate(contours):
        if hierarchy[0][index][3] >= 0:
            continue
        if cv2.contourArea(contour) / 4 < SMALLEST_PART:
            continue
        outline = _simplify(contour)
        hole = hierarchy[0][index][2]
        while hole >= 0:
            outline = _cut_to_hole(outline, _simplify(contours[hole]))
            hole = hierarchy[0][hole][0]
        polygons.append(outline.ravel().tolist())
    return polygons


def _simplify(contour: NDArray[Any]) -> NDArray[np.float64]:
    """Drop points that hardly bend a contour; (K, 2) in pixels."""
    border = _pixel_corners(contour[:, 0])
    simple = cv2.approxPolyDP(border[:, None], TOLERANCE, closed=True)
    return (simple if len(simple) >= 3 else border[:, None])[:, 0].astype(float)


def _pixel_corners(contour: NDArray[Any]) -> NDArray[np.int32]:
    """Keep the corners of pixels (even places) of a dense contour; (K, 2) in pixels.

    Where the contour cuts across an inner corner, that corner is put back.
    """
    following = np.roll(contour, -1, axis=0)
    across = np.stack([contour[:, 0], following[:, 1]], axis=1)
    other = np.stack([following[:, 0], contour[:, 1]], axis=1)
    between = np.where((across % 2 == 0).all(axis=1, keepdims=True), across, other)
    chain = np.stack([contour, between], axis=1).reshape(-1, 2)
    corners = chain[(chain % 2 == 0).all(axis=1)] // 2
    moved = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
    return corners[moved].astype(np.int32)


def _cut_to_hole(
    outline: NDArray[np.float64], hole: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Join a hole to the outline between their nearest corners."""
    distance = np.linalg.norm(outline[:, None] - hole[None], axis=2)
    at, start = np.unravel_index(distance.argmin(), distance.shape)
    around = np.roll(hole, -start, axis=0)
    return np.concatenate([outline[: at + 1], around, around[:1], outline[at:]])


def depth_to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round depth in metres to whole millimetres, 1 to 65535."""
    return np.clip(np.rint(depth * MILLIMETRES), 1, 65535).astype(np.uint16)
