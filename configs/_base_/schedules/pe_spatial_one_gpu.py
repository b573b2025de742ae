"""10K updates of 512 images on one GPU: 32 images a step, 16 steps an update.

5.1 million images, 43 epochs of COCO. The learning rate is that of 12,288 images times
the square root of 512 / 12,288 (LAMB's rule), 1e-4. mmengine counts steps; on n GPUs
divide every length and ``accumulative_counts`` by n. All of it is our choice, not
tuned.
"""

_base_ = './pe_spatial_alignment.py'

steps_per_update = 16
max_iters = 10_000 * steps_per_update
train_cfg = dict(max_iters=max_iters)
optim_wrapper = dict(accumulative_counts=steps_per_update, optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_iters, eta_min_ratio=0.0, by_epoch=False),
]
# mmengine compares with the images of a step, not of an update.
auto_scale_lr = dict(base_batch_size=32)
