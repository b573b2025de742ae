"""Meta's Mask R-CNN of PE-Core G on COCO, 1024 px, 75 epochs.

Command: pe-mm train configs/detection/mask_rcnn_pe_core_g_coco_75e.py
(64 images per iteration in all; README.md says how on several GPUs).
Test: convert Meta's mask_rcnn_PEcore_G_coco75ep.pth as README.md says, then
pe-mm test configs/detection/mask_rcnn_pe_core_g_coco_75e.py CONVERTED.pth
Cost: 1.9 B parameters; Meta trained on 64 GPUs with one image each. Not run here.
Result: box AP 57.0, mask AP 49.8 on val2017, as published by Meta.
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_vitdet.py',
    '../_base_/datasets/coco_lsj.py',
    '../_base_/schedules/vitdet_75e.py',
    '../_base_/iter_runtime.py',
]

# No LayerScale, unlike PE-Spatial G.
model = dict(backbone=dict(variant='PE-Core-G14-448'))
