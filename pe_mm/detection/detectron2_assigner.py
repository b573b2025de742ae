"""Matching of anchors and ground truth as in detectron2."""

from typing import Any

from mmdet.models.task_modules import AssignResult, MaxIoUAssigner
from mmengine.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class Detectron2Assigner(MaxIoUAssigner):
    """``MaxIoUAssigner`` with detectron2's low-quality matches.

    Every box that overlaps a ground truth as much as any other box does is positive,
    however little that is, and belongs to the ground truth that the box itself overlaps
    most. mmdet asks for a minimal overlap and reassigns the box. As in detectron2, a
    ground truth that no box overlaps makes all those that do not overlap it positive:
    empty boxes must be filtered before.

    Args:
        pos_iou_thr: Smallest overlap of a positive box.
        neg_iou_thr: Boxes with less overlap are negative; those between are ignored.
        match_low_quality: Whether there are low-quality matches: for anchors yes, for
            RoIs no.
        **kwargs: ``MaxIoUAssigner``'s arguments for ignored ground truth, the device
            and the overlap.
    """

    def __init__(
        self,
        pos_iou_thr: float,
        neg_iou_thr: float,
        match_low_quality: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(pos_iou_thr, neg_iou_thr, match_low_quality=False, **kwargs)
        self.with_low_quality_matches = match_low_quality

    def assign_wrt_overlaps(self, overlaps: Tensor, gt_labels: Tensor) -> AssignResult:
        """Assign boxes by their overlaps.

        Args:
            overlaps: (G, N) overlaps of ground truths and boxes, in [0, 1].
            gt_labels: (G,) class ids.

        Returns:
            Per box the 1-based ground truth, 0 for negative, -1 for ignored.
        """
        result = super().assign_wrt_overlaps(overlaps, gt_labels)
        if self.with_low_quality_matches and overlaps.numel():
            best = overlaps.max(dim=1, keepdim=True).values
            matched = (overlaps == best).any(dim=0)
            truths = overlaps.max(dim=0).indices[matched]
            result.gt_inds[matched] = truths + 1
            result.labels[matched] = gt_labels[truths]
        return result
