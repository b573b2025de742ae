"""Linear probe of PE-Spatial T on ADE20k, by what the paper says of its own probe.

Command: pe-mm train configs/segmentation/linear_pe_spatial_t_ade20k_pe_paper.py
Protocol: that of linear_pe_spatial_b_ade20k_pe_paper.py; only the encoder differs.
Cost: not run here.
Result: mIoU 27.6, published in Meta's README without a protocol.
"""

_base_ = './linear_pe_spatial_b_ade20k_pe_paper.py'

model = dict(
    backbone=dict(variant='PE-Spatial-T16-512'), decode_head=dict(in_channels=192)
)
