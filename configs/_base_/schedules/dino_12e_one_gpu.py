"""DINO's 12 epochs with AdamW in batches of 16, on one GPU in steps of 8.

Layer decay takes the place of the tenth of the learning rate that DINO's ResNet has. On
n GPUs divide ``accumulative_counts`` by n; epochs stay.
"""

max_epochs = 12
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    # mmcv's deformable attention knows no bfloat16: only the encoder has it.
    type='OptimWrapper',
    accumulative_counts=2,
    constructor='pe_mm.LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.8),
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[11],
        gamma=0.1,
    )
]
custom_hooks = [dict(type='pe_mm.AutocastHook')]
# mmengine compares with the images of a step, not of an update.
auto_scale_lr = dict(enable=False, base_batch_size=8)
