"""PE-Core's image-text training: 443K steps of 131,072 pairs.

As in arXiv 2504.13181, table 18: LAMB with lr 2e-3, betas (0.9, 0.95), weight decay
0.05, warm-up of 2K steps, bfloat16. 131,072 pairs = 512 processes x 256; 443K steps of
them are 58 billion. The paper does not say how the learning rate goes on after the
warm-up (here a cosine to 0, as OpenCLIP's), nor what is not decayed (here norms,
biases, embeddings and the logit scale).
"""

max_iters = 443_000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10_000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='AmpOptimWrapper',
    # bfloat16 needs no loss scaling. Tests run in float32.
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
        custom_keys={
            'text_encoder.token_embedding': dict(decay_mult=0.0),
            'text_encoder.positional_embedding': dict(decay_mult=0.0),
        },
    ),
    # timm's clips the norm of all gradients at 1, and scales steps by the norm of the
    # weight only where there is weight decay.
    optimizer=dict(
        type='timm.optim.Lamb', lr=2e-3, betas=(0.9, 0.95), weight_decay=0.05
    ),
)
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
auto_scale_lr = dict(enable=False, base_batch_size=131_072)
