"""Linear probe of PE-Core G's best layer on ADE20k, as DINOv3 evaluates its models.

Layer 44 in the paper's count from 1 is block 43 here; another:
--cfg-options model.backbone.out_indices=40; blocks above it are not built.
Command: pe-mm train configs/segmentation/linear_pe_core_g_layer44_ade20k_dinov3.py
Protocol: that of linear_pe_spatial_g_ade20k_dinov3.py, on the raw residual
stream, as there is no norm behind this layer.
Cost and result: not run here; none is known to us in this protocol.
"""

_base_ = './linear_pe_spatial_g_ade20k_dinov3.py'

model = dict(backbone=dict(variant='PE-Core-G14-448', out_indices=43))
