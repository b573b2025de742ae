"""A linear depth head on a very small Perception Encoder, for two CPU cores."""

width = 128
model = dict(
    type='pe_mm.DepthEstimator',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        pad_val=0,
        # It pads measured depth as well, with what is no depth.
        seg_pad_val=0,
        size=(256, 256),
    ),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant=dict(depth=6, width=width, heads=2, patch_size=16, image_size=256),
        out_indices=(3, 4, 5),
    ),
    decode_head=dict(
        type='pe_mm.LinearDepthHead',
        in_channels=[width] * 3,
        min_depth=1.0,
        max_depth=12.0,
        num_bins=64,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='pe_mm.ScaleInvariantLogLoss', warm_iters=50),
    ),
    train_cfg={},
    test_cfg=dict(mode='whole'),
)
