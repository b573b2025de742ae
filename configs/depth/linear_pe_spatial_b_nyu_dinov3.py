"""Linear probe of PE-Spatial B on NYUv2 depth, as DINOv3 evaluates its models.

Command: pe-mm train configs/depth/linear_pe_spatial_b_nyu_dinov3.py
Protocol: that of linear_pe_spatial_g_nyu_dinov3.py; patches of 16 pixels.
Cost: 0.1 B frozen parameters. Not run here.
Result: RMSE 0.389, published by EUPE (arXiv 2603.22387, table 1) for a linear probe;
whether in all of DINOv3's protocol is not known to us.
"""

_base_ = './linear_pe_spatial_g_nyu_dinov3.py'

model = dict(
    backbone=dict(variant='PE-Spatial-B16-512'), decode_head=dict(in_channels=768)
)
