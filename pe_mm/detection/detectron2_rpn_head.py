"""Region proposals as in detectron2."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import RPNHead
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from .detectron2_postprocess import class_wise_nms, nonempty, to_original_image


@MODELS.register_module()
class Detectron2RPNHead(RPNHead):
    """``RPNHead`` that ranks by logits and normalises its losses by a constant.

    Proposals: mmdet ranks probabilities, of which many are equal in float32 near 1.
    Losses: both are divided by the number of anchors to sample (256 per image), also
    where fewer were sampled; mmdet divides by the number sampled.

    Takes ``RPNHead``'s arguments.
    """

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Predict objectness logits and box deltas of every level.

        Args:
            x: Per level (B, C, H, W).

        Returns:
            Per level (B, A, H, W) logits and (B, A * 4, H, W) deltas.

        Raises:
            ValueError: There are more or fewer levels than the anchors have strides.
        """
        strides = self.prior_generator.strides
        if len(x) != len(strides):
            raise ValueError(
                f'the neck gives {len(x)} levels, but anchor_generator.strides has '
                f"{len(strides)}: {strides}; set the neck's num_outs to "
                f"{len(strides)}, or give every level's stride"
            )
        return super().forward(x)

    def get_targets(
        self,
        anchor_list: list[list[Tensor]],
        valid_flag_list: list[list[Tensor]],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        **kwargs: Any,
    ) -> tuple:
        """Compute the targets of anchors.

        Args:
            anchor_list: Per image and level (A, 4) anchors.
            valid_flag_list: Per image and level (A,) whether an anchor counts.
            batch_gt_instances: Ground truth per image.
            batch_img_metas: mmdet's facts about each image.
            **kwargs: ``AnchorHead.get_targets``' further arguments.

        Returns:
            ``AnchorHead``'s targets, with the constant for the sampled number.
        """
        targets = super().get_targets(
            anchor_list, valid_flag_list, batch_gt_instances, batch_img_metas, **kwargs
        )
        normaliser = self.train_cfg['sampler']['num'] * len(batch_img_metas)
        return (*targets[:4], normaliser, *targets[5:])

    def _predict_by_feat_single(
        self,
        cls_score_list: Sequence[Tensor],
        bbox_pred_list: Sequence[Tensor],
        score_factor_list: Sequence[Tensor | None],
        mlvl_priors: Sequence[Tensor],
        img_meta: Mapping[str, Any],
        cfg: Any,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> InstanceData:
        """Turn one image's predictions into proposals.

        Args:
            cls_score_list: Per level (A, H, W) objectness logits.
            bbox_pred_list: Per level (A * 4, H, W) deltas.
            score_factor_list: Not used; ``AnchorHead`` passes it.
            mlvl_priors: Per level (H * W * A, 4) anchors.
            img_meta: mmdet's facts about the image.
            cfg: ``nms_pre``: best anchors per level (all if not positive);
                ``min_bbox_size``: proposals must be wider and higher; ``nms``: applied
                to each level; ``max_per_img``: best proposals of all levels (all if not
                positive).
            rescale: Return boxes in the original image, clipped to it.
            with_nms: Must be true.

        Returns:
            ``bboxes`` (N, 4), ``scores`` (N,) in [0, 1], best first, and ``labels``.
        """
        cfg = cfg or self.test_cfg
        picked: list[tuple[Tensor, ...]] = []
        for level, (logits, deltas, priors) in enumerate(
            zip(cls_score_list, bbox_pred_list, mlvl_priors, strict=True)
        ):
            logits = logits.permute(1, 2, 0).flatten()
            deltas = deltas.permute(1, 2, 0).reshape(-1, 4)
            limit = cfg.get('nms_pre', -1)
            count = min(limit, len(logits)) if limit > 0 else len(logits)
            logits, chosen = logits.topk(count)
            levels = torch.full_like(chosen, level)
            picked.append((logits, deltas[chosen], priors[chosen], levels))
        logits, deltas, priors, levels = map(torch.cat, zip(*picked, strict=True))
        boxes = self.bbox_coder.decode(priors, deltas, max_shape=img_meta['img_shape'])
        valid = nonempty(boxes, cfg.get('min_bbox_size', 0)) & logits.isfinite()
        boxes, logits, levels = boxes[valid], logits[valid], levels[valid]
        kept = class_wise_nms(boxes, logits, levels, cfg.nms)
        if cfg.max_per_img > 0:
            kept = kept[: cfg.max_per_img]
        results = InstanceData(
            bboxes=boxes[kept],
            scores=logits[kept].sigmoid(),
            labels=torch.zeros_like(kept),
        )
        return to_original_image(results, img_meta)[0] if rescale else results
