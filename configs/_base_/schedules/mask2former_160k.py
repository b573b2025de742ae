"""Mask2Former's 160000 iterations of 16 images on ADE20k, with AdamW.

Layer decay takes the place of the tenth of the learning rate that its encoders have.
"""

max_iters = 160000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=16000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
queries = dict(decay_mult=0.0)
optim_wrapper = dict(
    # mmcv's deformable attention knows no bfloat16: only the encoder has it.
    type='OptimWrapper',
    constructor='pe_mm.LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.7,
        norm_decay_mult=0.0,
        custom_keys=dict(query_embed=queries, query_feat=queries, level_embed=queries),
    ),
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    clip_grad=dict(max_norm=0.01, norm_type=2),
)
param_scheduler = dict(
    type='PolyLR', power=0.9, eta_min=0.0, by_epoch=False, begin=0, end=max_iters
)
custom_hooks = [dict(type='pe_mm.AutocastHook')]
# 16 images per iteration, on however many GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=16)
