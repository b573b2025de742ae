"""COCO's things and stuff at 1024 px with large-scale jitter, as in ``coco_lsj``."""

_base_ = './coco_lsj.py'

data_root = 'data/coco/'
# Like mmdet's, but without panopticapi, which PyPI does not have.
load_panoptic = dict(type='pe_mm.LoadPanopticAnnotations')
# As coco_lsj's, but for the annotations; images never lose all their stuff.
train_pipeline = [
    _base_.train_pipeline[0],
    load_panoptic,
    *_base_.train_pipeline[2:5],
    dict(type='PackDetInputs'),
]
test_pipeline = [
    *_base_.test_pipeline[:2],
    load_panoptic,
    _base_.test_pipeline[3],
]
train_dataloader = dict(
    dataset=dict(
        type='CocoPanopticDataset',
        ann_file='annotations/panoptic_train2017.json',
        data_prefix=dict(img='train2017/', seg='annotations/panoptic_train2017/'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='CocoPanopticDataset',
        ann_file='annotations/panoptic_val2017.json',
        data_prefix=dict(img='val2017/', seg='annotations/panoptic_val2017/'),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(
        type='pe_mm.PanopticQualityMetric',
        ann_file=data_root + 'annotations/panoptic_val2017.json',
        seg_prefix=data_root + 'annotations/panoptic_val2017/',
    ),
    _base_.val_evaluator,
]
test_evaluator = val_evaluator
