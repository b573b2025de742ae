"""160000 iterations of 16 images with AdamW, layer decay and a linear ramp down to 0.

The schedule with which mmseg fine-tunes MAE's ViT-B under UPerNet; layer decay, and
weight decay on everything but norms, biases and embeddings, are as in BEiT and MAE.
"""

max_iters = 160000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=16000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    # bfloat16 needs no loss scaling. Tests run in float32.
    type='AmpOptimWrapper',
    dtype='bfloat16',
    constructor='pe_mm.LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.7,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        encoder_no_weight_decay=True,
    ),
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(
        type='PolyLR',
        power=1.0,
        eta_min=0.0,
        by_epoch=False,
        begin=1500,
        end=max_iters,
    ),
]
# 16 images per iteration, on however many GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=16)
