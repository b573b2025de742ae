"""Boxes and masks: COCO's result format, and pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.structures.mask import mask2bbox
from mmengine.structures import InstanceData
from numpy.typing import NDArray
from pycocotools import mask as mask_api

from .classes import Classes
from .coco import categories_json, category_ids, image_json
from .drawing import Picture, draw_instances, zoom_of
from .files import IMAGES, PREDICTIONS, OutputFolder
from .image_pipeline import PreparedImage
from .images import ImageFile
from .output import SkippedImage, in_order, skipped_json, unnamed_warning


class DetectionOutput:
    """Write predictions.json, images.json and pictures of instances.

    ``COCO('images.json').loadRes('predictions.json')`` of pycocotools reads both:
    predictions.json is a list of every instance that the model returns, whatever its
    score; images.json has the images, the categories and no annotations.

    Args:
        folder: Where to write.
        classes: The model's classes.
        score_thr: Instances of this score and above are drawn.
    """

    def __init__(
        self, folder: OutputFolder, classes: Classes, score_thr: float
    ) -> None:
        self.folder = folder
        self.classes = classes
        self.score_thr = score_thr
        self.category_ids = category_ids(classes.names)
        self._images: dict[ImageFile, dict[str, Any]] = {}
        self._results: dict[ImageFile, list[dict[str, Any]]] = {}

    def add(self, image: PreparedImage, sample: Any) -> None:
        """Record an image's instances and draw them."""
        found = sample.pred_instances.cpu()
        picture = draw_found(image.picture, found, self.classes, self.score_thr)
        place = self.folder.write_picture(image.file.output_name, picture)
        self.record(image, found, place)

    def record(self, image: PreparedImage, found: InstanceData, picture: str) -> None:
        """Keep an image's instances for ``finish``.

        Args:
            image: The image.
            found: Its instances, on the CPU.
            picture: Path of its picture in the output folder.
        """
        self._images[image.file] = image_json(image, picture)
        self._results[image.file] = coco_results(
            found, image.file.image_id, self.category_ids
        )

    def finish(self, skipped: Sequence[SkippedImage]) -> list[str]:
        """Write both JSON files."""
        results = [result for one in in_order(self._results) for result in one]
        content = {
            'info': {'description': 'images and categories of predictions.json'},
            'images': in_order(self._images),
            'categories': categories_json(self.classes),
            'annotations': [],
            'skipped': skipped_json(skipped),
        }
        self.folder.write_json(PREDICTIONS, results)
        self.folder.write_json(IMAGES, content)
        return unnamed_warning(self.classes)


def coco_results(
    found: InstanceData, image_id: int, categories: Sequence[int]
) -> list[dict[str, Any]]:
    """Return instances in COCO's result format: bbox is x, y, width, height in pixels.

    Args:
        found: Instances on the CPU, with 'labels', 'scores', 'bboxes', 'masks' or both.
        image_id: Number of their image.
        categories: Number of every label's category.
    """
    boxes = boxes_of(found).astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    results: list[dict[str, Any]] = [
        {
            'image_id': image_id,
            'category_id': categories[int(label)],
            'bbox': box.tolist(),
            'score': float(score),
        }
        for box, label, score in zip(boxes, found.labels, found.scores, strict=True)
    ]
    for result, mask in zip(results, masks_of(found), strict=False):
        rle = mask_api.encode(np.asfortranarray(mask, dtype=np.uint8))
        result['segmentation'] = {
            'size': [int(side) for side in rle['size']],
            'counts': rle['counts'].decode('ascii'),
        }
    return results


def boxes_of(found: InstanceData) -> NDArray[np.float32]:
    """Return the (N, 4) corners of instances, of their masks where boxes are missing.

    Detectors of masks alone have no boxes, or such that are all zero.
    """
    boxes = found.get('bboxes')
    if 'masks' in found and (boxes is None or not boxes.any()):
        boxes = mask2bbox(found.masks)
    assert boxes is not None
    return boxes.numpy().copy()


def masks_of(found: InstanceData) -> NDArray[np.bool_]:
    """Return the (N, H, W) masks of instances; nothing for boxes alone."""
    return np.asarray(found.get('masks', np.zeros((0, 1, 1))), dtype=bool)


def draw_found(
    image: Picture, found: InstanceData, classes: Classes, score_thr: float
) -> Picture:
    """Draw the instances of a minimal score, the surest on top."""
    found = found[found.scores >= score_thr]
    found = found[found.scores.argsort()]
    labels = found.labels.tolist()
    return draw_instances(
        image,
        boxes_of(found),
        masks_of(found),
        names=[
            f'{classes.names[label]} {float(score):.2f}'
            for label, score in zip(labels, found.scores, strict=True)
        ],
        colors=[classes.bgr(label) for label in labels],
        zoom=zoom_of(image),
    )
