"""The paper's frozen probe on the last layer of PE-Spatial G, COCO, 15 epochs.

Command: pe-mm train configs/detection/mask_rcnn_pe_spatial_g_frozen_coco_15e.py
(64 images per iteration in all; README.md says how on several GPUs).
Cost: not run here.
Result: none known; the paper shows PE-Core G's layers (box AP 43.2 at layer 39).
"""

_base_ = './mask_rcnn_pe_core_g_frozen_coco_15e.py'

model = dict(backbone=dict(variant='PE-Spatial-G14-448', out_indices='last'))
