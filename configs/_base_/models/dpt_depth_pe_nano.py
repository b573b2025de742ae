"""A DPT depth head on a very small Perception Encoder, for two CPU cores."""

_base_ = './linear_depth_pe_nano.py'

width = 128
levels = [32, 64, 64, 64]
model = dict(
    backbone=dict(out_indices=(2, 3, 4, 5)),
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
