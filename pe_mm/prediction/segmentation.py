"""Label maps: PNGs of class numbers, areas, and pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .classes import Classes
from .drawing import draw_regions, zoom_of
from .files import PREDICTIONS, OutputFolder
from .image_pipeline import PreparedImage
from .images import ImageFile
from .output import SkippedImage, in_order, skipped_json, unnamed_warning

_MAX_8_BIT_CLASSES = 255  # 255 itself is what data sets mark ignored pixels with.


class SegmentationOutput:
    """Write labels/*.png, predictions.json and pictures of the labels.

    A PNG holds the 0-based number of the class at every pixel, in 8 bits, or 16 for
    more than 255 classes. predictions.json names the classes and has their areas in
    every image, the largest first.

    Args:
        folder: Where to write.
        classes: The model's classes.
    """

    def __init__(self, folder: OutputFolder, classes: Classes) -> None:
        self.folder = folder
        self.classes = classes
        self._dtype = np.uint8 if len(classes) <= _MAX_8_BIT_CLASSES else np.uint16
        self._images: dict[ImageFile, dict[str, Any]] = {}

    def add(self, image: PreparedImage, sample: Any) -> None:
        """Write an image's label map and draw it."""
        labels = sample.pred_sem_seg.data[0].cpu().numpy().astype(self._dtype)
        found, pixels = np.unique(labels, return_counts=True)
        regions = {
            int(label): (self.classes.names[label], self.classes.bgr(label))
            for label in found
        }
        drawn = draw_regions(
            image.picture, labels, regions, zoom=zoom_of(image.picture)
        )
        name = image.file.output_name
        order = np.argsort(-pixels, kind='stable')
        self._images[image.file] = {
            'file_name': image.file.name,
            'width': labels.shape[1],
            'height': labels.shape[0],
            'labels': self.folder.write_png('labels', name, labels),
            'picture': self.folder.write_picture(name, drawn),
            'areas': [
                {
                    'class': int(found[k]),
                    'name': self.classes.names[found[k]],
                    'pixels': int(pixels[k]),
                }
                for k in order
            ],
        }

    def finish(self, skipped: Sequence[SkippedImage]) -> list[str]:
        """Write predictions.json."""
        names, colors = self.classes.names, self.classes.colors
        content = {
            'classes': [
                {'class': label, 'name': name, 'color': list(color)}
                for label, (name, color) in enumerate(zip(names, colors, strict=True))
            ],
            'images': in_order(self._images),
            'skipped': skipped_json(skipped),
        }
        self.folder.write_json(PREDICTIONS, content)
        return unnamed_warning(self.classes)
