"""Meta's Mask R-CNN of PE-Spatial G on COCO, 1024 px, 36 epochs.

Command: pe-mm train configs/detection/mask_rcnn_pe_spatial_g_coco_36e.py
(64 images per iteration in all; README.md says how on several GPUs).
Test: convert Meta's mask_rcnn_PEspatial_G_coco36ep.pth as README.md says, then
pe-mm test configs/detection/mask_rcnn_pe_spatial_g_coco_36e.py CONVERTED.pth
Cost: 1.9 B parameters; Meta trained on 64 GPUs with one image each. Not run here.
Result: box AP 57.8, mask AP 50.3 on val2017, as published by Meta.
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_vitdet.py',
    '../_base_/datasets/coco_lsj.py',
    '../_base_/schedules/vitdet_36e.py',
    '../_base_/iter_runtime.py',
]
