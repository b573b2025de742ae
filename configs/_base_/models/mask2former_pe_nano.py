"""Mask2Former on a small windowed Perception Encoder, for CPU cores."""

_base_ = './mask2former_pe.py'

width, channels = 128, 96
strides = [8, 16, 32]
num_classes = 12
layer_cfg = dict(
    self_attn_cfg=dict(embed_dims=channels, num_heads=4),
    ffn_cfg=dict(embed_dims=channels, feedforward_channels=256),
)
positional_encoding = dict(num_feats=channels // 2)
model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=dict(
        variant=dict(
            _delete_=True, depth=6, width=width, heads=2, patch_size=16, image_size=128
        ),
        window_size=8,
        global_blocks=(2, 5),
        rope_reference_size=8,
        drop_path_rate=0.0,
        with_cp=False,
        pretrained=False,
    ),
    neck=dict(in_channels=width, out_channels=channels, scales=(2.0, 1.0, 0.5)),
    panoptic_head=dict(
        in_channels=[channels] * 3,
        strides=strides,
        feat_channels=channels,
        out_channels=channels,
        num_things_classes=num_classes,
        num_queries=20,
        positional_encoding=positional_encoding,
        pixel_decoder=dict(
            strides=strides,
            encoder=dict(num_layers=1, layer_cfg=layer_cfg),
            positional_encoding=positional_encoding,
        ),
        transformer_decoder=dict(
            num_layers=3,
            layer_cfg=dict(layer_cfg, cross_attn_cfg=layer_cfg['self_attn_cfg']),
        ),
        loss_cls=dict(class_weight=[1.0] * num_classes + [0.1]),
    ),
    panoptic_fusion_head=dict(num_things_classes=num_classes),
    train_cfg=dict(num_points=1024),
    test_cfg=dict(max_per_image=30),
)
