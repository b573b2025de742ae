"""Linear probe of PE-Spatial L on ADE20k, as DINOv3 evaluates its models.

Command: pe-mm train configs/segmentation/linear_pe_spatial_l_ade20k_dinov3.py
Protocol: that of linear_pe_spatial_g_ade20k_dinov3.py; only the encoder
differs.
Cost and result: not run here; none is known to us in this protocol.
"""

_base_ = './linear_pe_spatial_g_ade20k_dinov3.py'

model = dict(
    backbone=dict(variant='PE-Spatial-L14-448'), decode_head=dict(in_channels=1024)
)
