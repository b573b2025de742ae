"""Zero-shot classification of the largest thing of held-out scenes into 12 shapes.

Command: pe-mm test configs/nano/zero_shot_classes.py CHECKPOINT
"""

_base_ = [
    '../_base_/models/nano_image_text.py',
    '../_base_/datasets/demo_classes.py',
    '../_base_/nano_runtime.py',
]

test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='pe_mm.LargestObjectCrops',
        side=128,
        dataset=dict(
            type='mmdet.CocoDataset',
            data_root='data/nano',
            ann_file='annotations/instances_validation.json',
            data_prefix=dict(img='images/validation'),
            metainfo=dict(classes=_base_.things),
            test_mode=True,
            pipeline=[
                dict(type='mmdet.LoadImageFromFile'),
                dict(type='mmdet.LoadAnnotations', with_bbox=True),
                dict(type='mmdet.PackDetInputs'),
            ],
        ),
    ),
)
test_evaluator = dict(
    type='pe_mm.ZeroShotMetric',
    class_names=_base_.things,
    templates=['A {}.', 'A red {}.', 'A blue {}.', 'A green {}.', 'A white {}.'],
)
custom_hooks = [dict(type='pe_mm.ZeroShotHook')]
