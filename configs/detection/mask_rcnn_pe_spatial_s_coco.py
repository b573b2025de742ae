"""Meta's Mask R-CNN recipe on PE-Spatial S, COCO, 1024 px, for one GPU of 24 GB.

Command: pe-mm train configs/detection/mask_rcnn_pe_spatial_s_coco.py
What changes against mask_rcnn_pe_spatial_b_coco.py: only the encoder, which needs no
activation checkpointing at this width; the rest is as for B, our choice, not tuned.
Cost and result: not run here; Meta publishes no detector of this size.
"""

_base_ = './mask_rcnn_pe_spatial_b_coco.py'

model = dict(
    backbone=dict(variant='PE-Spatial-S16-512', with_cp=False),
    neck=dict(in_channels=384),
)
