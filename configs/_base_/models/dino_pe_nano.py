"""DINO on a small windowed Perception Encoder of patch 14, for CPUs."""

_base_ = './dino_pe.py'

width = 128
num_levels = 3  # strides 14, 28, 56
ffn_cfg = dict(feedforward_channels=512)
model = dict(
    num_queries=30,
    num_feature_levels=num_levels,
    backbone=dict(
        variant=dict(
            _delete_=True, depth=6, width=width, heads=2, patch_size=16, image_size=128
        ),
        patch_size=14,
        window_size=8,
        global_blocks=(2, 5),
        rope_reference_size=8,
        drop_path_rate=0.0,
        with_cp=False,
        pretrained=False,
    ),
    neck=dict(in_channels=width, scales=(1.0, 0.5), num_outs=num_levels),
    encoder=dict(
        num_layers=1,
        layer_cfg=dict(self_attn_cfg=dict(num_levels=num_levels), ffn_cfg=ffn_cfg),
    ),
    decoder=dict(
        num_layers=2,
        layer_cfg=dict(cross_attn_cfg=dict(num_levels=num_levels), ffn_cfg=ffn_cfg),
    ),
    bbox_head=dict(num_classes=12),
    dn_cfg=dict(group_cfg=dict(num_dn_queries=20)),
    test_cfg=dict(max_per_img=30),
)
