"""KITTI depth by Eigen's split, up to 80 m, cut to 352 x 704.

The laser sees nothing above the last 352 rows. Augmentation as BTS has it for KITTI.
"""

data_root = 'data/kitti/'
data_prefix = dict(img_path='input', depth_map_path='gt_depth')
load_depth = dict(type='LoadDepthAnnotation', depth_rescale_factor=1 / 256)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    load_depth,
    dict(type='pe_mm.FixedCrop', rows=(-352, None)),
    # 0 is no depth: what turns in from outside counts for nothing.
    dict(type='RandomRotate', prob=1.0, degree=1.0, seg_pad_val=0),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCrop', crop_size=(352, 704)),
    dict(
        type='pe_mm.ColorAugment',
        prob=0.5,
        gamma=(0.9, 1.1),
        brightness=(0.9, 1.1),
        color=(0.9, 1.1),
    ),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    load_depth,
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='pe_mm.KITTIDepthDataset',
        data_root=data_root,
        ann_file='kitti_eigen_train.txt',
        data_prefix=data_prefix,
        pipeline=train_pipeline,
    ),
)
# One by one: the images are of several sizes.
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='pe_mm.KITTIDepthDataset',
        data_root=data_root,
        ann_file='kitti_eigen_test.txt',
        data_prefix=data_prefix,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='pe_mm.DepthMetric',
    depth_metrics=['rmse', 'abs_rel', 'd1'],
    min_depth_eval=1e-3,
    max_depth_eval=80.0,
    crop_type='garg_crop',
)
test_evaluator = val_evaluator
