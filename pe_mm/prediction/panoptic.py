"""Panoptic segments: COCO's panoptic format, and pictures."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from numpy.typing import NDArray

from .classes import Classes
from .coco import categories_json, category_ids, image_json
from .detection import DetectionOutput
from .drawing import draw_regions, zoom_of
from .files import PANOPTIC, OutputFolder
from .image_pipeline import PreparedImage
from .images import ImageFile
from .output import SkippedImage, in_order, skipped_json, unnamed_warning


class PanopticOutput:
    """Write panoptic.json, panoptic/*.png and pictures of segments.

    The format is COCO's: in a PNG, id = R + 256 G + 65536 B, 0 where nothing was found;
    in panoptic.json, the segments of every id. Ids count from 1 in each image. Where
    the model gives instances with scores as well, they are written as those of
    detectors are, without pictures of their own.

    Args:
        folder: Where to write.
        classes: The model's classes.
        with_instances: Whether the model gives instances as well.
    """

    def __init__(
        self, folder: OutputFolder, classes: Classes, with_instances: bool
    ) -> None:
        self.folder = folder
        self.classes = classes
        self.category_ids = category_ids(classes.names)
        # They are not drawn.
        self.instances = DetectionOutput(folder, classes, 1) if with_instances else None
        self._images: dict[ImageFile, dict[str, Any]] = {}
        self._annotations: dict[ImageFile, dict[str, Any]] = {}

    def add(self, image: PreparedImage, sample: Any) -> None:
        """Write an image's segments and draw them."""
        name = image.file.output_name
        predicted = sample.pred_panoptic_seg.sem_seg[0].cpu().numpy()
        ids, labels = number_segments(predicted, len(self.classes))
        regions = {
            segment: (self.classes.names[label], self.classes.bgr(label))
            for segment, label in labels.items()
        }
        drawn = draw_regions(image.picture, ids, regions, zoom=zoom_of(image.picture))
        picture = self.folder.write_picture(name, drawn)
        png = self.folder.write_png('panoptic', name, color_ids(ids))
        self._images[image.file] = image_json(image, picture)
        self._annotations[image.file] = {
            'image_id': image.file.image_id,
            'file_name': png.removeprefix('panoptic/'),
            'segments_info': segments_info(ids, labels, self.category_ids),
        }
        if self.instances is not None:
            self.instances.record(image, sample.pred_instances.cpu(), picture)

    def finish(self, skipped: Sequence[SkippedImage]) -> list[str]:
        """Write panoptic.json, and the JSON files of instances."""
        content = {
            'images': in_order(self._images),
            'categories': categories_json(self.classes),
            'annotations': in_order(self._annotations),
            'skipped': skipped_json(skipped),
        }
        self.folder.write_json(PANOPTIC, content)
        if self.instances is not None:
            self.instances.finish(skipped)
        return unnamed_warning(self.classes)


def number_segments(
    predicted: NDArray[np.integer], num_classes: int
) -> tuple[NDArray[np.int32], dict[int, int]]:
    """Number the segments of an image from 1; 0 is nothing.

    Args:
        predicted: (H, W) as mmdet has it: label + 1000 * instance, with a label of
            ``num_classes`` where nothing was found.
        num_classes: Number of the model's classes.

    Returns:
        (H, W) numbers, and the label of every number.
    """
    values, places = np.unique(predicted, return_inverse=True)
    labels = values % INSTANCE_OFFSET
    found = labels < num_classes
    numbers = np.where(found, np.cumsum(found), 0).astype(np.int32)
    ids = numbers[places.reshape(predicted.shape)]
    return ids, {
        int(number): int(label)
        for number, label in zip(numbers, labels, strict=True)
        if number
    }


def color_ids(ids: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return (H, W, 3) BGR colours of numbers below 2 ** 24: R + 256 G + 65536 B."""
    return (np.stack([ids >> 16, ids >> 8, ids], axis=-1) & 255).astype(np.uint8)


def segments_info(
    ids: NDArray[np.int32], labels: dict[int, int], categories: Sequence[int]
) -> list[dict[str, Any]]:
    """Describe the segments of an image as COCO does; boxes are x, y, width, height.

    Args:
        ids: (H, W) numbers of the segments.
        labels: The label of every number.
        categories: Number of every label's category.
    """
    infos = []
    for number, label in labels.items():
        inside = (ids == number).astype(np.uint8)
        infos.append(
            {
                'id': number,
                'category_id': categories[label],
                'area': int(inside.sum()),
                'bbox': list(cv2.boundingRect(inside)),
                'iscrowd': 0,
            }
        )
    return infos
