"""What detectron2 does to scored boxes: suppression and the way to the image."""

from collections.abc import Mapping
from typing import Any

import torch
from mmcv.ops import nms
from mmengine.structures import InstanceData
from torch import Tensor


def class_wise_nms(
    boxes: Tensor, scores: Tensor, classes: Tensor, nms_cfg: Mapping[str, Any]
) -> Tensor:
    """Suppress boxes that overlap a better one of their class.

    Each class is treated apart. mmcv moves the classes away from each other instead,
    which rounds the coordinates: with 1203 classes at 1024 pixels, to an eighth of a
    pixel. Of equal scores the first wins.

    Args:
        boxes: (N, 4), x1, y1, x2, y2.
        scores: (N,), of any range.
        classes: (N,) ids of classes, or of pyramid levels.
        nms_cfg: ``dict(type='nms', iou_threshold=...)``; a box goes if its overlap is
            above the threshold.

    Returns:
        Indices of the boxes that stay, best first.

    Raises:
        ValueError: ``nms_cfg`` is another kind of suppression.
    """
    if set(nms_cfg) - {'type'} != {'iou_threshold'} or nms_cfg.get('type') != 'nms':
        raise ValueError(
            "nms must be dict(type='nms', iou_threshold=...), the hard suppression of "
            f'detectron2, got {dict(nms_cfg)}'
        )
    order = scores.argsort(descending=True, stable=True)
    counts = classes.unique(return_counts=True)[1].tolist()
    kept = torch.zeros_like(order, dtype=torch.bool)
    for members in order[classes[order].argsort(stable=True)].split(counts):
        # mmcv sorts again, in any order where scores are equal: ranks never are.
        ranks = torch.arange(len(members), 0, -1, device=boxes.device).float()
        _, chosen = nms(boxes[members].float(), ranks, nms_cfg['iou_threshold'])
        kept[members[chosen]] = True
    return order[kept[order]]


def nonempty(boxes: Tensor, min_size: float = 0.0) -> Tensor:
    """Tell which boxes are wider and higher than ``min_size``.  (N, 4) -> (N,)."""
    return (boxes[:, 2:] - boxes[:, :2] > min_size).all(dim=1)


def to_original_image(
    results: InstanceData, img_meta: Mapping[str, Any]
) -> tuple[InstanceData, Tensor]:
    """Scale boxes back from the resized image and clip them to the original one.

    Args:
        results: Instances with ``bboxes`` (N, 4) in the resized image.
        img_meta: mmdet's facts about the image: ``scale_factor`` (x, y) and
            ``ori_shape`` (height, width).

    Returns:
        The instances whose boxes are not empty, and (N,) which those are.
    """
    boxes = results.bboxes
    height, width = img_meta['ori_shape'][:2]
    boxes = boxes / boxes.new_tensor(img_meta['scale_factor']).repeat(2)
    boxes = boxes.clamp(min=0).minimum(boxes.new_tensor((width, height)).repeat(2))
    kept = nonempty(boxes)
    results = results[kept]
    results.bboxes = boxes[kept]
    return results, kept
