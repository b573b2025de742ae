"""Linear probe of PE-Core G's best layer on ADE20k, by what the paper says of its own.

Layer 44 in the paper's count from 1 is block 43 here; another:
--cfg-options model.backbone.out_indices=40; blocks above it are not built.
Command: pe-mm train configs/segmentation/linear_pe_core_g_layer44_ade20k_pe_paper.py
Protocol: that of linear_pe_spatial_g_ade20k_pe_paper.py, where it is said what of it
is our choice.
Cost: 1.6 B frozen parameters. Not run here.
Result: mIoU 41.5, and 38.6 at the last layer, published in the paper (table 13).
"""

_base_ = './linear_pe_spatial_g_ade20k_pe_paper.py'

model = dict(backbone=dict(variant='PE-Core-G14-448', out_indices=43))
