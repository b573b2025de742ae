"""Detections and masks from proposals as in detectron2."""

from typing import Any

from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures.bbox import bbox2roi
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from .detectron2_postprocess import class_wise_nms, to_original_image


@MODELS.register_module()
class Detectron2RoIHead(StandardRoIHead):
    """``StandardRoIHead`` that selects and rescales detections as detectron2 does.

    The best boxes are chosen in the resized image by an exact class-wise suppression.
    Then they are scaled to the original image, clipped to it, dropped where nothing is
    left of them, and only then filled with their masks; mmdet neither clips nor drops.

    Takes ``StandardRoIHead``'s arguments; training is mmdet's.
    """

    def predict_bbox(
        self,
        x: tuple[Tensor, ...],
        batch_img_metas: list[dict],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: Any,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Predict the boxes of each image.

        Args:
            x: Feature maps, finest first.
            batch_img_metas: mmdet's facts about each image.
            rpn_results_list: Proposals of each image.
            rcnn_test_cfg: ``score_thr``, ``nms`` and ``max_per_img`` (all if not
                positive); None for the boxes and scores of every RoI and class.
            rescale: Return boxes in the original image, clipped to it.

        Returns:
            ``bboxes`` (N, 4), ``scores`` (N,) and ``labels`` (N,), best first.
        """
        raw = super().predict_bbox(x, batch_img_metas, rpn_results_list, None)
        if rcnn_test_cfg is None:
            return raw
        results = [_select(instances, rcnn_test_cfg) for instances in raw]
        if rescale:
            pairs = zip(results, batch_img_metas, strict=True)
            results = [to_original_image(*pair)[0] for pair in pairs]
        return results

    def predict_mask(
        self,
        x: tuple[Tensor, ...],
        batch_img_metas: list[dict],
        results_list: list[InstanceData],
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Predict the masks of detections.

        Args:
            x: Feature maps, finest first.
            batch_img_metas: mmdet's facts about each image.
            results_list: Detections of each image, boxes in the resized image.
            rescale: Return boxes and masks in the original image.

        Returns:
            The detections with ``masks`` (N, H, W), without those whose box is empty in
            the original image.
        """
        rois = bbox2roi([results.bboxes for results in results_list])
        if not rescale or not len(rois):
            return super().predict_mask(x, batch_img_metas, results_list, rescale)
        counts = [len(results) for results in results_list]
        masks = self._mask_forward(x, rois)['mask_preds'].split(counts)
        rescaled = [
            to_original_image(*pair)
            for pair in zip(results_list, batch_img_metas, strict=True)
        ]
        return self.mask_head.predict_by_feat(
            [mask[kept] for mask, (_, kept) in zip(masks, rescaled, strict=True)],
            [results for results, _ in rescaled],
            # The boxes are in the original image already.
            [{**img_meta, 'scale_factor': (1.0, 1.0)} for img_meta in batch_img_metas],
            self.test_cfg,
            rescale=True,
        )


def _select(raw: InstanceData, cfg: Any) -> InstanceData:
    """Choose detections among the (R, K * 4) boxes and (R, K + 1) scores of RoIs."""
    finite = raw.bboxes.isfinite().all(dim=1) & raw.scores.isfinite().all(dim=1)
    scores = raw.scores[finite, :-1]
    # One box per class, or one for all.
    boxes = raw.bboxes[finite].unflatten(1, (-1, 4)).expand(-1, scores.shape[1], -1)
    rois, labels = (scores > cfg.score_thr).nonzero(as_tuple=True)
    boxes, scores = boxes[rois, labels], scores[rois, labels]
    kept = class_wise_nms(boxes, scores, labels, cfg.nms)
    if cfg.max_per_img > 0:
        kept = kept[: cfg.max_per_img]
    return InstanceData(bboxes=boxes[kept], scores=scores[kept], labels=labels[kept])
