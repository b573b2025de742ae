"""Linear probe of PE-Spatial S on ADE20k, by what the paper says of its own probe.

Command: pe-mm train configs/segmentation/linear_pe_spatial_s_ade20k_pe_paper.py
Protocol: that of linear_pe_spatial_b_ade20k_pe_paper.py; only the encoder differs.
Cost: not run here.
Result: mIoU 37.5, published in Meta's README without a protocol.
"""

_base_ = './linear_pe_spatial_b_ade20k_pe_paper.py'

model = dict(
    backbone=dict(variant='PE-Spatial-S16-512'), decode_head=dict(in_channels=384)
)
