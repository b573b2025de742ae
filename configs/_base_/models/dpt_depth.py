"""A DPT depth head on one layer of a frozen PE-Spatial G, 1 mm to 10 m.

The levels are DPT's for encoders of width 768, times 1536 / 768: an eighth, a quarter,
half and all of the encoder's width. The decoder has a quarter of it, as DPT's 256
channels are of 1024.
"""

_base_ = './linear_depth.py'

width = 1536
levels = [width // 8, width // 4, width // 2, width]
model = dict(
    neck=dict(type='pe_mm.DPTReassemble', in_channels=[width], out_channels=levels),
    decode_head=dict(
        _delete_=True,
        type='pe_mm.DPTDepthHead',
        in_channels=levels,
        channels=width // 4,
        min_depth=1e-3,
        max_depth=10.0,
        num_bins=256,
        loss_decode=[
            dict(type='pe_mm.ScaleInvariantLogLoss', mean_weight=0.15, warm_iters=100),
            dict(type='pe_mm.DepthGradientLoss', loss_weight=0.5, scales=4),
        ],
    ),
)
