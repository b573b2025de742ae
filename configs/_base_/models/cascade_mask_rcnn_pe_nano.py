"""Cascade Mask R-CNN on a small windowed Perception Encoder, for two CPU cores."""

_base_ = './mask_rcnn_pe_nano_windowed.py'

box_head = _base_.model.roi_head.bbox_head
rcnn = _base_.model.train_cfg.rcnn
model = dict(
    type='CascadeRCNN',
    roi_head=dict(
        type='CascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1 / 3] * 3,
        bbox_head=[
            dict(
                box_head,
                bbox_coder=dict(
                    box_head.bbox_coder,
                    target_stds=[0.1 / n, 0.1 / n, 0.2 / n, 0.2 / n],
                ),
            )
            for n in (1, 2, 3)
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(
                rcnn,
                assigner=dict(
                    rcnn.assigner,
                    pos_iou_thr=iou,
                    neg_iou_thr=iou,
                    match_low_quality=False,
                ),
            )
            for iou in (0.5, 0.6, 0.7)
        ]
    ),
)
