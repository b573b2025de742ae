"""Meta's Mask R-CNN of PE-Core G on LVIS v1, 1024 px, 75 epochs of COCO's length.

Command: pe-mm train configs/detection/mask_rcnn_pe_core_g_lvis_75e.py
(64 images per iteration in all; README.md says how on several GPUs).
Test: convert Meta's mask_rcnn_PEcore_G_lvis75ep.pth as README.md says, then
pe-mm test configs/detection/mask_rcnn_pe_core_g_lvis_75e.py CONVERTED.pth
Cost: 1.9 B parameters; Meta trained on 64 GPUs with one image each. Not run here.
Result: box AP 51.9, mask AP 47.9 on LVIS v1 val, as published by Meta.
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_vitdet.py',
    '../_base_/datasets/lvis_lsj.py',
    '../_base_/schedules/vitdet_75e.py',
    '../_base_/iter_runtime.py',
]

num_classes = 1203
model = dict(
    backbone=dict(variant='PE-Core-G14-448'),
    roi_head=dict(
        bbox_head=dict(
            num_classes=num_classes,
            loss_cls=dict(
                _delete_=True,
                type='pe_mm.FederatedLoss',
                num_classes=num_classes,
                set_size=50,
            ),
        ),
        mask_head=dict(num_classes=num_classes),
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.02, max_per_img=300)),
)
train_cfg = dict(val_interval=30000)
custom_hooks = [
    dict(type='pe_mm.Fp16GradientsHook'),
    dict(type='pe_mm.FederatedClassesHook', power=0.5),
]
