"""A linear depth head on the last layer of a frozen PE-Spatial G, 1 mm to 10 m.

DINOv3's head (arXiv 2508.10104, its code): batch norm, 1x1 convolution, 256 bins.
"""

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
        size=(416, 544),
    ),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant='PE-Spatial-G14-448',
        out_indices='last',
        freeze=True,
        pretrained=True,
    ),
    decode_head=dict(
        type='pe_mm.LinearDepthHead',
        in_channels=1536,
        min_depth=1e-3,
        max_depth=10.0,
        num_bins=256,
        norm_cfg=dict(type='SyncBN'),
        loss_decode=dict(
            type='pe_mm.ScaleInvariantLogLoss', mean_weight=0.15, warm_iters=100
        ),
    ),
    train_cfg={},
    test_cfg=dict(mode='whole', flip_test=True),
)
