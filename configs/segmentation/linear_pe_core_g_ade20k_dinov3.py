"""Linear probe of PE-Core G's last layer on ADE20k, as DINOv3 evaluates it.

Command: pe-mm train configs/segmentation/linear_pe_core_g_ade20k_dinov3.py
Protocol: that of linear_pe_spatial_g_ade20k_dinov3.py, with the final norm
that PE-Core has.
Cost: 1.9 B frozen parameters. Not run here.
Result: mIoU 38.9, published by DINOv3 (table 3).
"""

_base_ = './linear_pe_spatial_g_ade20k_dinov3.py'

model = dict(backbone=dict(variant='PE-Core-G14-448', apply_final_norm=True))
