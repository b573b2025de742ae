"""PE-Spatial's alignment: 24K steps of 12,288 images.

As in arXiv 2504.13181, tables 21 and 23: LAMB with lr 5e-4, betas (0.9, 0.95), weight
decay 0.05, no warm-up. 12,288 images = 384 processes x 32. The paper does not say how
the learning rate goes on (here a cosine to 0), nor what is not decayed (here norms,
biases, embeddings and LayerScale).
"""

max_iters = 24_000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    # bfloat16 needs no loss scaling.
    dtype='bfloat16',
    loss_scale=1.0,
    # The constructor that knows an encoder's embeddings; 1.0 is no layer decay.
    constructor='pe_mm.LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=1.0,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
        encoder_no_weight_decay=True,
    ),
    # timm's clips the norm of all gradients at 1.
    optimizer=dict(
        type='timm.optim.Lamb', lr=5e-4, betas=(0.9, 0.95), weight_decay=0.05
    ),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_iters, eta_min_ratio=0.0, by_epoch=False),
]
auto_scale_lr = dict(enable=False, base_batch_size=12_288)
