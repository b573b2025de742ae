"""Semantics of the demo scenes; made by ``pe-mm demo-data data/demo``.

Label 0, the skirting boards, belongs to no class and is ignored.
"""

_base_ = './demo_classes.py'

data_root = 'data/demo/'
metainfo = dict(
    classes=_base_.things + _base_.stuff,
    palette=_base_.thing_palette + _base_.stuff_palette,
)
scale = (256, 256)  # the scenes' own size

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=scale),
    # Three quarters of a scene are floor, wall and rug, which are soon learned.
    dict(type='RandomCrop', crop_size=(128, 128), cat_max_ratio=0.6),
    dict(type='RandomFlip', prob=0.5),
    # Losses at every pixel would take as long as the model.
    dict(type='pe_mm.SubsampleLabels', stride=4),
    dict(type='PackSegInputs'),
]
# Predictions are compared with labels of the pictures' own size.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
# For one process: a step of the optimizer alone costs as much as four crops.
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='BaseSegDataset',
        metainfo=metainfo,
        data_root=data_root,
        data_prefix=dict(
            img_path='images/training', seg_map_path='annotations/training'
        ),
        reduce_zero_label=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BaseSegDataset',
        metainfo=metainfo,
        data_root=data_root,
        data_prefix=dict(
            img_path='images/validation', seg_map_path='annotations/validation'
        ),
        reduce_zero_label=True,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
