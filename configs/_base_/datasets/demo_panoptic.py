"""Things and stuff of the demo scenes; made by ``pe-mm demo-data data/demo``."""

_base_ = './demo_instance.py'

annotations = 'data/demo/annotations/'
metainfo = dict(
    classes=_base_.things + _base_.stuff,
    thing_classes=_base_.things,
    stuff_classes=_base_.stuff,
    palette=_base_.thing_palette + _base_.stuff_palette,
)
load_panoptic = dict(type='pe_mm.LoadPanopticAnnotations')
train_pipeline = [
    _base_.train_pipeline[0],
    load_panoptic,
    *_base_.train_pipeline[2:],
]
test_pipeline = [
    *_base_.test_pipeline[:2],
    load_panoptic,
    _base_.test_pipeline[3],
]
train_dataloader = dict(
    dataset=dict(
        type='CocoPanopticDataset',
        metainfo=metainfo,
        ann_file='annotations/panoptic_training.json',
        data_prefix=dict(seg='annotations/panoptic_training/'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='CocoPanopticDataset',
        metainfo=metainfo,
        ann_file='annotations/panoptic_validation.json',
        data_prefix=dict(seg='annotations/panoptic_validation/'),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(
        type='pe_mm.PanopticQualityMetric',
        ann_file=annotations + 'panoptic_validation.json',
        seg_prefix=annotations + 'panoptic_validation/',
    ),
    _base_.val_evaluator,
]
test_evaluator = val_evaluator
