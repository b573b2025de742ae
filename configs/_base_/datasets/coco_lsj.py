"""COCO instances at 1024 px with large-scale jitter, read and resized as by detectron2.

There is no Pad: the data preprocessor pads after normalisation, so that boxes are
clipped to the image and not to the padded canvas.
"""

data_root = 'data/coco/'
image_size = (1024, 1024)  # width, height

# Pillow turns the image by its EXIF tag, and its bilinear resize is antialiased.
load_image = dict(type='LoadImageFromFile', imdecode_backend='pillow')
load_annotations = dict(
    type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=False
)
train_pipeline = [
    load_image,
    load_annotations,
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='pe_mm.ScaleJitter',
        scale=image_size,
        ratio_range=(0.1, 2.0),
        keep_ratio=True,
        backend='pillow',
    ),
    dict(
        type='pe_mm.FixedSizeCrop',
        crop_size=image_size,
        recompute_bbox=True,
        allow_negative_crop=True,
    ),
    # The crop leaves boxes of no size where nothing of a polygon remains. Images that
    # have lost all their objects stay (which is what keep_empty=False does).
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-5, 1e-5), keep_empty=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    load_image,
    dict(type='Resize', scale=image_size, keep_ratio=True, backend='pillow'),
    load_annotations,
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(
    # Meta: 64 GPUs with one image each.
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/instances_val2017.json',
    metric=['bbox', 'segm'],
)
test_evaluator = val_evaluator
