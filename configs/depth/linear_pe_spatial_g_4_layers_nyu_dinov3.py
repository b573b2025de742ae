"""Linear probe of four layers of PE-Spatial G on NYUv2 depth: an ablation.

A quarter, half, three quarters and all of the encoder, concatenated, as DINOv2's
"lin. 4" has it (arXiv 2304.07193, section 7.4); the rest is DINOv3's protocol.
Command: pe-mm train configs/depth/linear_pe_spatial_g_4_layers_nyu_dinov3.py
Protocol: that of linear_pe_spatial_g_nyu_dinov3.py but for the layers.
Cost and result: not run here; none is known to us.
"""

_base_ = './linear_pe_spatial_g_nyu_dinov3.py'

model = dict(
    backbone=dict(out_indices='quarters'), decode_head=dict(in_channels=[1536] * 4)
)
