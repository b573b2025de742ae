"""Depth of the demo scenes; made by ``pe-mm demo-data data/demo``.

NYUv2's layout and unit: 16-bit PNGs in millimetres, of depths up to 11.3 m, so a head
needs ``max_depth=12.0``.
"""

data_root = 'data/demo/'
millimetre = 1e-3
scale = (256, 256)  # the scenes' own size

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepthAnnotation', depth_rescale_factor=millimetre),
    dict(type='Resize', scale=scale),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
# Predictions are compared with depth of the pictures' own size.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale),
    dict(type='LoadDepthAnnotation', depth_rescale_factor=millimetre),
    dict(type='PackSegInputs'),
]
# No worker processes: on two cores they would only take turns with the training.
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='NYUDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/training', depth_map_path='depth/training'),
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
        type='NYUDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='images/validation', depth_map_path='depth/validation'
        ),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='pe_mm.DepthMetric',
    depth_metrics=['rmse', 'abs_rel', 'd1'],
    min_depth_eval=1e-3,
    max_depth_eval=12.0,
)
test_evaluator = val_evaluator
