"""DINOv3's schedule for linear segmentation: 40000 iterations of 16 images, AdamW.

Linear warm-up over 1500 iterations, times a cosine over all of them, down to 0. DINOv3
takes a straight line instead of the cosine while it warms up: at most 4 % less.
"""

max_iters = 40000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=5000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-3),
)
param_scheduler = [
    # The factor is 1 from iteration end - 1 on.
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1501),
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=max_iters, eta_min=0.0),
]
# 16 images per iteration, on however many GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=16)
