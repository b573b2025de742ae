"""A DPT head on four layers of a frozen PE-Spatial G, NYUv2: an ablation.

A quarter, half, three quarters and all of the encoder, each at one of DPT's sizes, as
DPT itself has it (arXiv 2103.13413, section 3).
Command: pe-mm train configs/depth/dpt_pe_spatial_g_4_layers_nyu_pe_paper.py
Protocol: that of dpt_pe_spatial_g_nyu_pe_paper.py but for the layers.
Cost and result: not run here; none is known to us.
"""

_base_ = './dpt_pe_spatial_g_nyu_pe_paper.py'

model = dict(backbone=dict(out_indices='quarters'), neck=dict(in_channels=[1536] * 4))
