"""DINO with four scales on a windowed PE-Spatial L at its own patch of 14 pixels."""

channels = 256  # mmdet's DINO takes no other width
num_levels = 4  # strides 7, 14, 28, 56
model = dict(
    type='DINO',
    num_queries=900,
    with_box_refine=True,
    as_two_stage=True,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        # The coarsest stride: every level covers exactly the padded image, of which
        # DINO takes it to be a part.
        pad_size_divisor=56,
    ),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant='PE-Spatial-L14-448',
        out_indices='last',
        window_size=32,
        global_blocks='quarters',
        rope='rescale',
        rope_reference_size=32,
        position_embedding='tile',
        drop_path_rate=0.4,
        with_cp=True,
        pretrained=True,
    ),
    neck=dict(
        type='pe_mm.SimpleFeaturePyramid',
        in_channels=1024,
        out_channels=channels,
        scales=(2.0, 1.0, 0.5),
        num_outs=num_levels,
    ),
    encoder=dict(
        num_layers=6,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=channels, num_levels=num_levels, dropout=0.0),
            ffn_cfg=dict(embed_dims=channels, feedforward_channels=2048, ffn_drop=0.0),
        ),
    ),
    decoder=dict(
        num_layers=6,
        return_intermediate=True,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=channels, num_heads=8, dropout=0.0),
            cross_attn_cfg=dict(
                embed_dims=channels, num_levels=num_levels, dropout=0.0
            ),
            ffn_cfg=dict(embed_dims=channels, feedforward_channels=2048, ffn_drop=0.0),
        ),
        post_norm_cfg=None,
    ),
    positional_encoding=dict(
        num_feats=channels // 2, normalize=True, offset=0.0, temperature=20
    ),
    bbox_head=dict(
        type='DINOHead',
        num_classes=80,
        sync_cls_avg_factor=True,
        loss_cls=dict(
            type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0
        ),
        loss_bbox=dict(type='L1Loss', loss_weight=5.0),
        loss_iou=dict(type='GIoULoss', loss_weight=2.0),
    ),
    dn_cfg=dict(
        label_noise_scale=0.5,
        box_noise_scale=1.0,
        group_cfg=dict(dynamic=True, num_groups=None, num_dn_queries=100),
    ),
    train_cfg=dict(
        assigner=dict(
            type='HungarianAssigner',
            match_costs=[
                dict(type='FocalLossCost', weight=2.0),
                dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                dict(type='IoUCost', iou_mode='giou', weight=2.0),
            ],
        )
    ),
    test_cfg=dict(max_per_img=300),
)
