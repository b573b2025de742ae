"""Panoptic labels read without ``panopticapi``."""

from typing import Any

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.datasets.transforms import (
    LoadPanopticAnnotations as MMDetLoadPanopticAnnotations,
)
from mmengine.registry import TRANSFORMS
from numpy.typing import NDArray


@TRANSFORMS.register_module()
class LoadPanopticAnnotations(MMDetLoadPanopticAnnotations):
    """mmdet's LoadPanopticAnnotations on numpy alone.

    mmdet's wants ``panopticapi``, which PyPI does not have, for the one line that turns
    colours into segment ids. Labels also come as uint8, as mmdet documents them: its
    own are int32, which every later transform carries along at four times the size.

    Args:
        options: mmdet's arguments: ``with_bbox``, ``with_label``, ``with_mask``,
            ``with_seg``, ``box_type``, ``imdecode_backend``, ``backend_args``.
    """

    def __init__(self, **options: Any) -> None:
        options = {'with_mask': True, 'with_seg': True, **options}
        # Past the parent, whose constructor is what fails.
        LoadAnnotations.__init__(self, **options)

    @staticmethod
    def rgb2id(color: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Turn COCO's (H, W, 3) RGB colours into (H, W) ids, R + 256 G + 65536 B."""
        red, green, blue = np.moveaxis(color.astype(np.int32), -1, 0)
        return red + 256 * green + 65536 * blue

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load boxes, labels, masks of things, and the map of things and stuff.

        Args:
            results: A sample of mmdet's CocoPanopticDataset.

        Returns:
            It, with ``gt_bboxes``, ``gt_bboxes_labels``, ``gt_masks`` and
            ``gt_seg_map``, (H, W) uint8, 255 where nothing is labelled.
        """
        results = super().transform(results)
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = results['gt_seg_map'].astype(np.uint8)
        return results
