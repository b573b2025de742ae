"""20 epochs for a DPT head.

The length is that of the Perception Encoder paper (arXiv 2504.13181, section B.3.3). It
does not state learning rate, weight decay and batch: these are our choice, not tuned.
"""

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=1e-2),
    clip_grad=dict(max_norm=35),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-3,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        T_max=20,
        eta_min=0.0,
        convert_to_iter_based=True,
    ),
]
# 16 images per iteration, on however many GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=16)
