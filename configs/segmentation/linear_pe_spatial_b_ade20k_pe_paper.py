"""Linear probe of PE-Spatial B on ADE20k, by what the paper says of its own probe.

Command: pe-mm train configs/segmentation/linear_pe_spatial_b_ade20k_pe_paper.py
Protocol: that of linear_pe_spatial_g_ade20k_pe_paper.py, where it is said what of it
is our choice or reading, but at 512 px: 518 is no multiple of 16 (also our choice).
Cost: not run here.
Result: mIoU 44.4, published in Meta's README without a protocol.
"""

_base_ = [
    '../_base_/models/linear_seg_pe_patch16.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/linear_probe_40k.py',
    '../_base_/linear_seg_runtime.py',
]

model = dict(decode_head=dict(projection_channels=512, dropout_ratio=0.0))
