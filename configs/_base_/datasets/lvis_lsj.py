"""LVIS v1 instances at 1024 px with large-scale jitter and repeat-factor sampling."""

_base_ = './coco_lsj.py'

data_root = 'data/lvis_v1/'  # with COCO's train2017/ and val2017/ in it
# Images repeat ceil(sqrt(threshold / frequency of their rarest category)) times;
# detectron2 rounds the same factor up or down at random.
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ClassBalancedDataset',
        oversample_thr=1e-3,
        dataset=dict(
            type='LVISV1Dataset',
            data_root=data_root,
            ann_file='annotations/lvis_v1_train.json',
            data_prefix=dict(img=''),
            filter_cfg=dict(filter_empty_gt=True),
            pipeline={{_base_.train_pipeline}},
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        type='LVISV1Dataset',
        data_root=data_root,
        ann_file='annotations/lvis_v1_val.json',
        data_prefix=dict(img=''),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='pe_mm.LVISMetric', ann_file=data_root + 'annotations/lvis_v1_val.json'
)
test_evaluator = val_evaluator
