"""ADE20k with a short side of 518 px, 37 patches of 14, as ``ade20k_512``."""

_base_ = './ade20k_512.py'

side = 518
scale = (4 * side, side)
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(_base_.train_pipeline[2], scale=scale),
    dict(_base_.train_pipeline[3], crop_size=(side, side)),
    *_base_.train_pipeline[4:],
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(_base_.test_pipeline[1], scale=scale),
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
