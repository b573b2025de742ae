"""Pascal VOC 2012 with a short side of 448 px: 20 classes and the background.

Trained on VOC's own 1464 images and SBD's 9118 more (10582 in all, often "trainaug"),
tested on the 1449 of VOC's validation set.
"""

_base_ = './ade20k_448.py'

data_root = 'data/VOCdevkit/VOC2012/'
train_set = dict(
    type='PascalVOCDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    ann_file='ImageSets/Segmentation/train.txt',
    pipeline=_base_.train_pipeline,
)
aug_set = dict(
    train_set,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
    ann_file='ImageSets/Segmentation/aug.txt',
)
train_dataloader = dict(
    dataset=dict(_delete_=True, type='ConcatDataset', datasets=[train_set, aug_set])
)
val_dataloader = dict(
    dataset=dict(
        type='PascalVOCDataset',
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
    )
)
test_dataloader = val_dataloader
