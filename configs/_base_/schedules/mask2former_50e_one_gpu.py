"""Mask2Former's 50 epochs with AdamW in batches of 16, on one GPU in steps of 8.

Layer decay takes the place of the tenth of the learning rate that its ResNet has.
mmengine counts steps, so every length is ``steps_per_update`` times Mask2Former's; on n
GPUs divide it by n.
"""

steps_per_update = 2
max_iters = 368750 * steps_per_update
train_cfg = dict(
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=5000 * steps_per_update,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
queries = dict(decay_mult=0.0)
optim_wrapper = dict(
    # mmcv's deformable attention knows no bfloat16: only the encoder has it.
    type='OptimWrapper',
    accumulative_counts=steps_per_update,
    constructor='pe_mm.LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.8,
        norm_decay_mult=0.0,
        custom_keys=dict(query_embed=queries, query_feat=queries, level_embed=queries),
    ),
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=0.01, norm_type=2),
)
param_scheduler = dict(
    type='MultiStepLR',
    begin=0,
    end=max_iters,
    by_epoch=False,
    milestones=[327778 * steps_per_update, 355092 * steps_per_update],
    gamma=0.1,
)
custom_hooks = [dict(type='pe_mm.AutocastHook')]
# mmengine compares with the images of a step, not of an update.
auto_scale_lr = dict(enable=False, base_batch_size=8)
