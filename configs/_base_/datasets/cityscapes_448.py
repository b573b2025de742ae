"""Cityscapes with a short side of 448 px: the 19 classes of its benchmark.

Labels are the ``*_gtFine_labelTrainIds.png`` that cityscapesScripts makes.
"""

_base_ = './ade20k_448.py'

data_root = 'data/cityscapes/'
cityscapes = dict(type='CityscapesDataset', data_root=data_root)
train_dataloader = dict(
    dataset=dict(
        **cityscapes,
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
    )
)
val_dataloader = dict(
    dataset=dict(
        **cityscapes,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
    )
)
test_dataloader = val_dataloader
