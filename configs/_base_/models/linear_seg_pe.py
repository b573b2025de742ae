"""A linear classifier on the last layer of a frozen PE-Spatial G, at 448 px.

32 x 32 patches, in training as in every window of the test.
"""

crop_size = (448, 448)
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
        # An image smaller than a window becomes one, so that all are whole patches:
        # what the encoder pads by itself, mmseg does not cut off again.
        test_cfg=dict(size=crop_size),
    ),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant='PE-Spatial-G14-448',
        out_indices='last',
        freeze=True,
        pretrained=True,
    ),
    decode_head=dict(
        type='pe_mm.LinearSegmentationHead',
        in_channels=1536,
        num_classes=150,
        norm_cfg=dict(type='SyncBN'),
        dropout_ratio=0.1,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False),
    ),
    train_cfg={},
    test_cfg=dict(mode='slide', crop_size=crop_size, stride=(298, 298)),
)
