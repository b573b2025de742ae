"""DINOv3's schedule for linear depth: 38400 iterations of 16 images, AdamW 3e-4.

Linear warm-up over 12800 iterations from a 1000th, times a cosine over all of them,
down to a 25000th: 2.25e-4, at the end of the warm-up, is the highest. AdamW's first
beta is 0 while warming up, then goes from 0.85 to 0.95 in a cosine. All that is what
DINOv3's code does, but that it adds the 1000th instead of ramping from it (at most 3e-7
more), and its cosine is one iteration ahead.
"""

max_iters, warm_up = 38400, 12800
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=1600)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, betas=(0.0, 0.99), weight_decay=1e-4),
    clip_grad=dict(max_norm=35),
)
param_scheduler = [
    # The factor is 1 from iteration end - 1 on.
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warm_up + 1),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        T_max=max_iters,
        eta_min_ratio=1 / 25000,
    ),
    # A step from 0 to 0.85: schedulers that multiply cannot leave 0.
    dict(
        type='CosineAnnealingMomentum',
        by_epoch=False,
        T_max=1,
        eta_min=0.85,
        begin=warm_up - 1,
        end=warm_up + 1,
    ),
    dict(
        type='CosineAnnealingMomentum',
        by_epoch=False,
        T_max=max_iters - warm_up,
        eta_min=0.95,
        begin=warm_up,
        end=max_iters,
    ),
]
# 16 images per iteration, on however many GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=16)
