"""Box regression as detectron2 decodes it."""

import math
from collections.abc import Sequence

import torch
from mmdet.models.task_modules import DeltaXYWHBBoxCoder
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes, get_box_tensor
from mmengine.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class Detectron2BBoxCoder(DeltaXYWHBBoxCoder):
    """``DeltaXYWHBBoxCoder`` that may shrink a box without a limit.

    The logarithmic deltas of width and height have an upper bound only, so that no
    exponential overflows; mmdet bounds them from below as well. Boxes are computed in
    float32, also from the half-precision deltas of mixed precision.

    Args:
        target_means: Means of the deltas (dx, dy, dw, dh).
        target_stds: Standard deviations of the deltas: the inverse of detectron2's
            weights, which are (1, 1, 1, 1) for proposals and (10, 10, 5, 5) for RoIs.
        clip_border: Clip decoded boxes to the image, where its size is given.
        use_box_type: Return mmdet's box type instead of a tensor.
    """

    def __init__(
        self,
        target_means: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
        target_stds: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
        clip_border: bool = True,
        use_box_type: bool = False,
    ) -> None:
        super().__init__(
            target_means, target_stds, clip_border, use_box_type=use_box_type
        )

    def decode(
        self,
        bboxes: Tensor | BaseBoxes,
        pred_bboxes: Tensor,
        max_shape: Sequence[int] | None = None,
        wh_ratio_clip: float = 16 / 1000,
    ) -> Tensor | BaseBoxes:
        """Move and scale boxes by predicted deltas.

        Args:
            bboxes: (N, 4) anchors or RoIs, x1, y1, x2, y2 in pixels.
            pred_bboxes: (N, 4) deltas, or (N, K * 4): those of class k at 4k.
            max_shape: Height and width of the image to clip to.
            wh_ratio_clip: Inverse of the largest factor that a side grows by.

        Returns:
            Boxes of ``pred_bboxes``' shape, float32.
        """
        boxes = get_box_tensor(bboxes).float()[:, None]
        deltas = pred_bboxes.float().unflatten(1, (-1, 4))
        deltas = deltas * deltas.new_tensor(self.stds) + deltas.new_tensor(self.means)
        sizes = boxes[..., 2:] - boxes[..., :2]
        centres = boxes[..., :2] + 0.5 * sizes + deltas[..., :2] * sizes
        factors = deltas[..., 2:].clamp(max=-math.log(wh_ratio_clip)).exp()
        halves = 0.5 * factors * sizes
        corners = [centres - halves, centres + halves]
        if self.clip_border and max_shape is not None:
            height, width = max_shape[:2]
            limit = boxes.new_tensor((width, height))
            corners = [corner.clamp(min=0).minimum(limit) for corner in corners]
        decoded = torch.cat(corners, dim=-1).flatten(1)
        return HorizontalBoxes(decoded) if self.use_box_type else decoded
