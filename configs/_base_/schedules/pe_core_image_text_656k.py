"""PE-Core G's image-text training: 656K steps of 131,072 pairs, 86 billion."""

_base_ = './pe_core_image_text.py'

max_iters = 656_000
train_cfg = dict(max_iters=max_iters)
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
