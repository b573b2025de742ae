"""UPerNet on four layers of PE-Spatial B, one for every level of its pyramid."""

crop_size = (512, 512)
norm_cfg = dict(type='SyncBN')
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
        # An image smaller than a window becomes one, so that every level covers it.
        test_cfg=dict(size=crop_size),
    ),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant='PE-Spatial-B16-512',
        out_indices='quarters',  # 2, 5, 8, 11
        drop_path_rate=0.1,
        pretrained=True,
    ),
    neck=dict(
        type='pe_mm.MultiLayerPyramid',
        in_channels=[768] * 4,
        # UPerHead has convolutions of its own that mix the channels of each level.
        out_channels=None,
        scales=(4.0, 2.0, 1.0, 0.5),
    ),
    decode_head=dict(
        type='UPerHead',
        in_channels=[192, 384, 768, 768],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=768,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=150,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=0.4),
    ),
    train_cfg={},
    test_cfg=dict(mode='slide', crop_size=crop_size, stride=(341, 341)),
)
