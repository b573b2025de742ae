"""Meta's Mask R-CNN of PE-Spatial G on LVIS v1, 1024 px, 75 epochs of COCO's length.

Command: pe-mm train configs/detection/mask_rcnn_pe_spatial_g_lvis_75e.py
(64 images per iteration in all; README.md says how on several GPUs).
Test: convert Meta's mask_rcnn_PEspatial_G_lvis75ep.pth as README.md says, then
pe-mm test configs/detection/mask_rcnn_pe_spatial_g_lvis_75e.py CONVERTED.pth
Cost: 1.9 B parameters; Meta trained on 64 GPUs with one image each. Not run here.
Result: box AP 54.2, mask AP 49.3 on LVIS v1 val, as published by Meta.
"""

_base_ = './mask_rcnn_pe_core_g_lvis_75e.py'

model = dict(backbone=dict(variant='PE-Spatial-G14-448'))
