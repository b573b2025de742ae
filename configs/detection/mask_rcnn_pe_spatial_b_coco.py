"""Meta's Mask R-CNN recipe on PE-Spatial B, COCO, 1024 px, for one GPU of 24 GB.

Command: pe-mm train configs/detection/mask_rcnn_pe_spatial_b_coco.py
What changes against mask_rcnn_pe_spatial_l_coco.py, and why:
- Layer decay 0.7, drop path 0.1, global blocks 2, 5, 8, 11 (quarters of the depth):
  what ViTDet trains its B with.
- Learning rate 1e-4, windows of 32 tokens (the grid of 512 / 16), 36 epochs: as L here;
  our choice, not tuned.
- Patch 16 is the trained one.
Cost and result: not run here; Meta publishes no detector of this size.
"""

_base_ = './mask_rcnn_pe_spatial_l_coco.py'

model = dict(
    # Of 12 blocks, the quarters are 2, 5, 8 and 11.
    backbone=dict(variant='PE-Spatial-B16-512', drop_path_rate=0.1),
    neck=dict(in_channels=768),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.7))
