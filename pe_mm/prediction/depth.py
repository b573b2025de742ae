"""Depth maps: 16-bit PNGs, statistics, and pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .drawing import draw_depth, zoom_of
from .files import PREDICTIONS, OutputFolder
from .image_pipeline import PreparedImage
from .images import ImageFile, count_images
from .output import SkippedImage, in_order, skipped_json

_LARGEST = np.iinfo(np.uint16).max


class DepthOutput:
    """Write depth/*.png, predictions.json and pictures of the depth.

    A PNG has 16 bits: depth in metres times ``scale``, rounded. 0 means that there is
    none, as in NYU's and KITTI's files; depth too small or too large for 16 bits
    becomes the smallest or the largest number that there is, 1 or 65535.

    Args:
        folder: Where to write.
        scale: Units in a metre: 1000 for millimetres, 256 as KITTI has it.
    """

    def __init__(self, folder: OutputFolder, scale: float) -> None:
        self.folder = folder
        self.scale = scale
        self._images: dict[ImageFile, dict[str, Any]] = {}
        self._clipped = 0

    def add(self, image: PreparedImage, sample: Any) -> None:
        """Write an image's depth map and draw it."""
        depth = sample.pred_depth_map.data[0].float().cpu().numpy()
        units = to_units(depth, self.scale)
        known = depth[np.isfinite(depth)]
        self._clipped += int(known.size and known.max() * self.scale > _LARGEST)
        drawn = draw_depth(image.picture, depth, zoom=zoom_of(image.picture))
        name = image.file.output_name
        record: dict[str, Any] = {
            'file_name': image.file.name,
            'width': depth.shape[1],
            'height': depth.shape[0],
            'depth': self.folder.write_png('depth', name, units),
            'picture': self.folder.write_picture(name, drawn),
        }
        for key, measure in (('min', np.min), ('median', np.median), ('max', np.max)):
            record[key] = float(measure(known)) if known.size else None
        self._images[image.file] = record

    def finish(self, skipped: Sequence[SkippedImage]) -> list[str]:
        """Write predictions.json; warn of depth that was clipped."""
        content = {
            'units_per_metre': self.scale,
            'images': in_order(self._images),
            'skipped': skipped_json(skipped),
        }
        self.folder.write_json(PREDICTIONS, content)
        if not self._clipped:
            return []
        return [
            f'depth beyond {_LARGEST / self.scale:.3f} m was clipped in '
            f'{count_images(self._clipped)}; a smaller --depth-scale has room for it'
        ]


def to_units(depth: NDArray[np.floating], scale: float) -> NDArray[np.uint16]:
    """Return depth in metres as 16-bit numbers of which 0 means that there is none."""
    known = np.isfinite(depth)
    units = np.clip(np.rint(np.where(known, depth, 0) * scale), 1, _LARGEST)
    return np.where(known, units, 0).astype(np.uint16)
