"""Mask2Former for things and stuff on PE-Spatial L, COCO, 1024 px, for 80 GB.

Command: pe-mm train configs/detection/mask2former_pe_spatial_l_coco_panoptic.py
mask2former_pe_spatial_l_coco_instance.py with COCO's panoptic labels: 80 classes of
things and 53 of stuff. Tested by panoptic quality, and as instances.
Cost and result: not run here, and not tuned. A step keeps 4.0 GiB per image for its
backward pass.
"""

_base_ = [
    '../_base_/models/mask2former_pe.py',
    '../_base_/datasets/coco_panoptic_lsj.py',
    '../_base_/schedules/mask2former_50e_one_gpu.py',
    '../_base_/iter_runtime.py',
]
num_stuff_classes = 53
train_dataloader = dict(batch_size=8)
model = dict(
    data_preprocessor=dict(pad_seg=True, seg_pad_value=255),
    panoptic_head=dict(
        num_stuff_classes=num_stuff_classes,
        loss_cls=dict(class_weight=[1.0] * (80 + num_stuff_classes) + [0.1]),
    ),
    panoptic_fusion_head=dict(num_stuff_classes=num_stuff_classes),
    test_cfg=dict(panoptic_on=True),
)
