"""A DPT head on PE-Core G's best layer for depth, NYUv2, the paper's protocol.

Layer 39 in the paper's count from 1 is block 38 here; blocks above are not built.
Command: pe-mm train configs/depth/dpt_pe_core_g_layer39_nyu_pe_paper.py
Protocol: that of dpt_pe_spatial_g_nyu_pe_paper.py.
Cost: not run here.
Result: RMSE 0.249, published by Meta (0.309 at the last layer).
"""

_base_ = './dpt_pe_spatial_g_nyu_pe_paper.py'

model = dict(backbone=dict(variant='PE-Core-G14-448', out_indices=38))
