"""Linear probe of a learned mix of PE-Core G's layers on ADE20k: an ablation.

Every fifth layer, normalised and mixed with learned weights that add up to 1; they are
the answer to "which layers does the task want?" (pe_mm.LayerMix says how to read them).
Command: pe-mm train configs/segmentation/linear_pe_core_g_layer_mix_ade20k_dinov3.py
Protocol: that of linear_pe_spatial_g_ade20k_dinov3.py but for the mix.
Cost and result: not run here; none is known to us.
"""

_base_ = './linear_pe_spatial_g_ade20k_dinov3.py'

layers = tuple(range(4, 50, 5))  # 4, 9, ..., 49
model = dict(
    backbone=dict(variant='PE-Core-G14-448', out_indices=layers),
    neck=dict(type='pe_mm.LayerMix', in_channels=[1536] * len(layers)),
)
