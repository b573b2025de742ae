"""Linear probe of PE-Core G's last layer on NYUv2 depth, as DINOv3 evaluates it.

Command: pe-mm train configs/depth/linear_pe_core_g_nyu_dinov3.py
Protocol: that of linear_pe_spatial_g_nyu_dinov3.py, behind the encoder's final norm.
Cost: 1.9 B frozen parameters. Not run here.
Result: RMSE 0.590, published by DINOv3.
"""

_base_ = './linear_pe_spatial_g_nyu_dinov3.py'

model = dict(backbone=dict(variant='PE-Core-G14-448', apply_final_norm=True))
