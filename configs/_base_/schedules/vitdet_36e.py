"""Meta's schedule for PE-Spatial G on COCO: 36 epochs of AdamW in batches of 64.

It is ViTDet's schedule of 100 epochs (184375 iterations of 64 images, milestones 163889
and 177546, warm-up 250), every length cut to 36 %.
"""

max_iters = 184375 * 36 // 100  # 66375
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=5000)
# Tests run in fp32.
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='float16',
    loss_scale='dynamic',
    constructor='pe_mm.LayerDecayOptimWrapperConstructor',
    # Weight decay acts on everything: norms, biases and position embedding too.
    paramwise_cfg=dict(layer_decay_rate=0.9),
    optimizer=dict(type='AdamW', lr=5e-5, betas=(0.9, 0.999), weight_decay=0.1),
)
param_scheduler = [
    # Warm-up over 90 iterations: the factor is 1 from iteration end - 1 on.
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=91),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[163889 * 36 // 100, 177546 * 36 // 100],  # 59000, 63916
        gamma=0.1,
    ),
]
custom_hooks = [dict(type='pe_mm.Fp16GradientsHook')]
# 64 images per iteration, on however many GPUs; enable=True scales lr to other batches.
auto_scale_lr = dict(enable=False, base_batch_size=64)
