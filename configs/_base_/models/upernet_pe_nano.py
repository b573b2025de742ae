"""UPerNet on four layers of the nano PE-Spatial's student, for two CPU cores."""

_base_ = './linear_seg_pe_nano.py'

width = 96
channels = 64
norm_cfg = dict(type='BN')
model = dict(
    backbone=dict(out_indices=(4, 5, 6, 7)),
    neck=dict(
        type='pe_mm.MultiLayerPyramid',
        in_channels=[width] * 4,
        out_channels=None,
        # A crop has 8 x 8 tokens: maps of 16, 8, 8 and 4.
        scales=(2.0, 1.0, 1.0, 0.5),
    ),
    decode_head=dict(
        _delete_=True,
        type='UPerHead',
        in_channels=[width // 2, width, width, width],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2),
        channels=channels,
        dropout_ratio=0.0,
        num_classes=15,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
    auxiliary_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=width,
        in_index=2,
        channels=channels,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=15,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4),
    ),
)
