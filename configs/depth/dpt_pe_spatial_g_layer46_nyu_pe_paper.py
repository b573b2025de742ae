"""A DPT head on PE-Spatial G's best layer for depth, NYUv2, the paper's protocol.

Layer 46 in the paper's count from 1 is block 45 here; another:
--cfg-options model.backbone.out_indices=40; blocks above it are not built.
Command: pe-mm train configs/depth/dpt_pe_spatial_g_layer46_nyu_pe_paper.py
Protocol: that of dpt_pe_spatial_g_nyu_pe_paper.py.
Cost: not run here.
Result: RMSE 0.262, published by Meta.
"""

_base_ = './dpt_pe_spatial_g_nyu_pe_paper.py'

model = dict(backbone=dict(out_indices=45))
