"""Two steps of a linear mmseg head on a tiny encoder; ROOT holds the pictures."""

default_scope = 'mmseg'
data_root = 'ROOT'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        bgr_to_rgb=True,
        size=(64, 64),
        seg_pad_val=255,
    ),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant=dict(depth=2, width=32, heads=2, patch_size=16, image_size=64),
        out_indices=(0, 1),
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=[32, 32],
        in_index=[0, 1],
        input_transform='resize_concat',
        channels=64,
        num_convs=0,
        concat_input=False,
        num_classes=2,
        norm_cfg=dict(type='SyncBN'),
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False),
    ),
    train_cfg={},
    test_cfg=dict(mode='whole'),
)
dataset = dict(
    type='BaseSegDataset',
    metainfo=dict(classes=('dark', 'bright'), palette=[[0, 0, 0], [255, 255, 255]]),
    data_root=data_root,
    data_prefix=dict(img_path='images', seg_map_path='annotations'),
    img_suffix='.png',
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs'),
    ],
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    dataset=dataset,
    sampler=dict(type='InfiniteSampler', shuffle=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dataset,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
    visualization=dict(type='SegVisualizationHook'),
)
visualizer = dict(
    type='SegLocalVisualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
log_processor = dict(by_epoch=False)
