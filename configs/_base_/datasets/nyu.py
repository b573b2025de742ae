"""NYUv2 at 480 x 640, cropped, turned and coloured as for DINOv3's linear depth.

mmseg's layout, 16-bit PNGs in millimetres. Ranges and probabilities are those of
DINOv3's code; it takes gamma on values of 0 to 255 (see ``pe_mm.ColorAugment``).
"""

data_root = 'data/nyu/'
millimetre = 1e-3

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepthAnnotation', depth_rescale_factor=millimetre),
    # Without the images' white frame.
    dict(type='pe_mm.FixedCrop', rows=(45, 472), columns=(43, 608)),
    # 0 is no depth: what turns in from outside counts for nothing.
    dict(type='RandomRotate', prob=0.5, degree=2.5, seg_pad_val=0),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCrop', crop_size=(416, 544)),
    dict(
        type='pe_mm.ColorAugment',
        prob=0.5,
        gamma=(0.9, 1.1),
        brightness=(0.75, 1.25),
        color=(0.9, 1.1),
    ),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepthAnnotation', depth_rescale_factor=millimetre),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='NYUDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/train', depth_map_path='annotations/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='NYUDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/test', depth_map_path='annotations/test'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='pe_mm.DepthMetric',
    depth_metrics=['rmse', 'abs_rel', 'd1'],
    min_depth_eval=1e-3,
    max_depth_eval=10.0,
    crop_type='nyu_crop',
)
test_evaluator = val_evaluator
