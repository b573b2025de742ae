"""The schedule of the paper's frozen probe: 15 epochs, learning rate 1e-4.

The paper states the epochs and the step decay (section B.3.3), but neither the learning
rate nor the batch: 1e-4 and 64 images are our choice, not tuned. Steps and warm-up are
ViTDet's, cut to 15 %.
"""

_base_ = './vitdet_36e.py'

max_iters = 184375 * 15 // 100  # 27656
train_cfg = dict(max_iters=max_iters)
# Nothing is left to decay: the encoder is frozen, and heads have the factor 1.
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=39),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[163889 * 15 // 100, 177546 * 15 // 100],  # 24583, 26631
        gamma=0.1,
    ),
]
