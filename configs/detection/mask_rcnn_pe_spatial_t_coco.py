"""Meta's Mask R-CNN recipe on PE-Spatial T, COCO, 1024 px, for one GPU of 24 GB.

Command: pe-mm train configs/detection/mask_rcnn_pe_spatial_t_coco.py
What changes against mask_rcnn_pe_spatial_s_coco.py: the encoder, and no drop path at
this size; our choice, not tuned.
Cost and result: not run here; Meta publishes no detector of this size.
"""

_base_ = './mask_rcnn_pe_spatial_s_coco.py'

model = dict(
    backbone=dict(variant='PE-Spatial-T16-512', drop_path_rate=0.0),
    neck=dict(in_channels=192),
)
