"""PE-Core's video-text training: 5.4K steps of 4,096 clips, once through 22 million.

As in arXiv 2504.13181, table 19: LAMB with lr 1e-6, betas (0.9, 0.95), weight decay
0.05, warm-up of 2K steps, no mask regularisation, the largest resolution. 4,096 clips =
64 processes x 64. The rest as in ``pe_core_image_text``.
"""

_base_ = './pe_core_image_text.py'

max_iters = 5400
train_cfg = dict(max_iters=max_iters, val_interval=900)
optim_wrapper = dict(optimizer=dict(lr=1e-6))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=2000),
    dict(
        type='CosineAnnealingLR',
        T_max=max_iters - 2000,
        eta_min_ratio=0.0,
        by_epoch=False,
        begin=2000,
        end=max_iters,
    ),
]
auto_scale_lr = dict(base_batch_size=4096)
