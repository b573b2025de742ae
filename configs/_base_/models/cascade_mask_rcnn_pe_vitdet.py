"""ViTDet's cascade of three box heads on the Mask R-CNN of ``mask_rcnn_pe_vitdet``.

Stages take proposals of IoU 0.5, 0.6 and 0.7 for objects, and move boxes alike for all
classes. mmdet's cascade has a mask head per stage, detectron2's only one.
"""

_base_ = './mask_rcnn_pe_vitdet.py'

ious = (0.5, 0.6, 0.7)
# The reciprocals of detectron2's box weights 10, 20, 30 (x, y) and 5, 10, 15 (w, h).
stds = [[0.1 / n, 0.1 / n, 0.2 / n, 0.2 / n] for n in (1, 2, 3)]
model = dict(
    type='CascadeRCNN',
    roi_head=dict(
        type='CascadeRoIHead',
        num_stages=3,
        # The features' gradient is the stages' mean, as detectron2 scales it.
        stage_loss_weights=[1 / 3] * 3,
        bbox_head=[
            dict(
                _base_.model.roi_head.bbox_head,
                reg_class_agnostic=True,
                bbox_coder=dict(
                    _base_.model.roi_head.bbox_head.bbox_coder, target_stds=std
                ),
            )
            for std in stds
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(
                _base_.model.train_cfg.rcnn,
                assigner=dict(
                    _base_.model.train_cfg.rcnn.assigner,
                    pos_iou_thr=iou,
                    neg_iou_thr=iou,
                ),
            )
            for iou in ious
        ]
    ),
)
