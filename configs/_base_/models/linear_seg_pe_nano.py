"""A linear classifier on layers of the nano PE-Spatial's student, for two CPU cores.

Crops of 128 px are 8 x 8 tokens, in training as in every window of the test, and as in
the encoder's own training. Two layers have a classifier of their own besides, for
training only: lower layers learn faster when they are told the classes too.
"""

_base_ = '../nano_spatial.py'

width = 96
crop_size = (128, 128)
norm_cfg = dict(type='BN')
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=crop_size,
        test_cfg=dict(size=crop_size),
    ),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant=_base_.nano_variant,
        init_cfg=_base_.nano_weights,
        out_indices=(3, 4, 5, 6, 7),
    ),
    decode_head=dict(
        type='pe_mm.LinearSegmentationHead',
        in_channels=[width] * 5,
        num_classes=15,
        norm_cfg=norm_cfg,
        dropout_ratio=0.0,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
    auxiliary_head=[
        dict(
            type='pe_mm.LinearSegmentationHead',
            in_channels=width,
            in_index=index,
            num_classes=15,
            norm_cfg=norm_cfg,
            dropout_ratio=0.0,
            loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.3),
        )
        for index in (1, 3)
    ],
    train_cfg={},
    test_cfg=dict(mode='slide', crop_size=crop_size, stride=(26, 26)),
)
