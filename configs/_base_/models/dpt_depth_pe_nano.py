"""A DPT depth head on the nano PE-Spatial's student, for two CPU cores."""

_base_ = ['./linear_depth_pe_nano.py', '../nano_spatial.py']

width = 96
levels = [32, 64, 64, 64]
model = dict(
    backbone=dict(
        variant=_base_.nano_variant,
        init_cfg=_base_.nano_weights,
        out_indices=(1, 3, 5, 7),
    ),
    neck=dict(type='pe_mm.DPTReassemble', in_channels=[width] * 4, out_channels=levels),
    decode_head=dict(
        _delete_=True,
        type='pe_mm.DPTDepthHead',
        in_channels=levels,
        channels=32,
        min_depth=1.0,
        max_depth=12.0,
        num_bins=None,
        loss_decode=[
            dict(type='pe_mm.ScaleInvariantLogLoss', warm_iters=50),
            dict(type='pe_mm.DepthGradientLoss', loss_weight=0.5, scales=4),
        ],
    ),
)
