"""Meta's schedule for PE-Core G, and for both on LVIS: 75 of ViTDet's 100 epochs."""

_base_ = './vitdet_36e.py'

max_iters = 184375 * 75 // 100  # 138281
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    # Meta's warm-up ends after 187.5 iterations: 0..187 are below 1, as they are here,
    # where the ramp is 188 long (mmengine's is a whole number: end - 1).
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=189),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[163889 * 75 // 100, 177546 * 75 // 100],  # 122916, 133159
        gamma=0.1,
    ),
]
