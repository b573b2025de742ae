"""The 36 epochs of ``vitdet_36e`` on one GPU: 8 images a step, 8 steps an update.

Needs ``train_dataloader.batch_size=8``. Updates see 64 images, as with Meta, so the
learning rate needs no scaling. mmengine counts steps, so every length is
``steps_per_update`` times that of ``vitdet_36e``; on n GPUs divide it by n.
"""

_base_ = './vitdet_36e.py'

steps_per_update = 8
max_iters = 66375 * steps_per_update
train_cfg = dict(max_iters=max_iters, val_interval=5000 * steps_per_update)
optim_wrapper = dict(accumulative_counts=steps_per_update)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.001,
        by_epoch=False,
        begin=0,
        end=90 * steps_per_update + 1,
    ),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[59000 * steps_per_update, 63916 * steps_per_update],
        gamma=0.1,
    ),
]
# mmengine compares with the images of a step, not of an update.
auto_scale_lr = dict(base_batch_size=8)
