"""Linear probe of PE-Spatial L on ADE20k, by what the paper says of its own probe.

Command: pe-mm train configs/segmentation/linear_pe_spatial_l_ade20k_pe_paper.py
Protocol: that of linear_pe_spatial_g_ade20k_pe_paper.py, where it is said what of it
is our choice; only the encoder differs.
Cost: not run here.
Result: mIoU 48.1, published in Meta's README without a protocol.
"""

_base_ = './linear_pe_spatial_g_ade20k_pe_paper.py'

model = dict(
    backbone=dict(variant='PE-Spatial-L14-448'), decode_head=dict(in_channels=1024)
)
