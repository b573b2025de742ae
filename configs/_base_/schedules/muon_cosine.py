"""Muon for the encoder, AdamW for the rest, one cosine; validation at the end only."""

max_epochs = 3
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='pe_mm.MuonOptimWrapperConstructor',
    optimizer=dict(
        type='timm.optim.Muon',
        lr=9e-3,
        # AdamW's rate, as a part of Muon's: 1e-3.
        fallback_lr_scale=1 / 9,
        betas=(0.9, 0.99),
        nesterov=True,
        weight_decay=0.05,
    ),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    # Over all epochs of train_cfg, where no end is given.
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        eta_min=0.0,
        convert_to_iter_based=True,
    ),
]
