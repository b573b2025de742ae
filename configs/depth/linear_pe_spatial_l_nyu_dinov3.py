"""Linear probe of PE-Spatial L on NYUv2 depth, as DINOv3 evaluates its models.

Command: pe-mm train configs/depth/linear_pe_spatial_l_nyu_dinov3.py
Protocol: that of linear_pe_spatial_g_nyu_dinov3.py.
Cost: 0.3 B frozen parameters. Not run here.
Result: none is known to us.
"""

_base_ = './linear_pe_spatial_g_nyu_dinov3.py'

model = dict(
    backbone=dict(variant='PE-Spatial-L14-448'), decode_head=dict(in_channels=1024)
)
