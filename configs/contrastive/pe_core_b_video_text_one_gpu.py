"""PE-Core B's video-text training on one GPU: 32 clips a step, 128 steps an update.

Updates average the gradients of 4,096 clips, but each clip is told apart from the other
31 of its step, not from 4,095: a weaker loss than the paper's, which no accumulation of
gradients makes up for. mmengine counts steps, so every length is 128 times that of
``pe_core_b_video_text``; on n GPUs divide it by n. Not run here.

    pe-mm train configs/contrastive/pe_core_b_video_text_one_gpu.py
"""

_base_ = './pe_core_b_video_text.py'

steps_per_update = 128  # 4,096 clips / 32
max_iters = 5400 * steps_per_update
warmup = 2000 * steps_per_update
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_iters=max_iters, val_interval=900 * steps_per_update)
optim_wrapper = dict(accumulative_counts=steps_per_update)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup),
    dict(
        type='CosineAnnealingLR',
        T_max=max_iters - warmup,
        eta_min_ratio=0.0,
        by_epoch=False,
        begin=warmup,
        end=max_iters,
    ),
]
default_hooks = dict(checkpoint=dict(interval=1000 * steps_per_update))
# mmengine compares with the images of a step, not of an update.
auto_scale_lr = dict(base_batch_size=32)
