"""Linear probe of PE-Spatial T on ADE20k, as DINOv3 evaluates its models.

Command: pe-mm train configs/segmentation/linear_pe_spatial_t_ade20k_dinov3.py
Protocol: that of linear_pe_spatial_b_ade20k_dinov3.py; only the encoder
differs.
Cost and result: not run here; none is known to us in this protocol.
"""

_base_ = './linear_pe_spatial_b_ade20k_dinov3.py'

model = dict(
    backbone=dict(variant='PE-Spatial-T16-512'), decode_head=dict(in_channels=192)
)
