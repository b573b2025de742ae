"""What every nano training shares: epochs of scenes, Muon, one cosine.

Muon instead of LAMB: from scratch and for minutes, it learns several times as much from
as many images.
"""

default_scope = 'mmengine'
train_cfg = dict(type='EpochBasedTrainLoop')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=25),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='pe_mm.SafeCheckpointHook', interval=1, max_keep_ckpts=1),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    seeded_steps=dict(type='pe_mm.SeededStepsHook'),
)
log_processor = dict(type='LogProcessor', window_size=25, by_epoch=True)
env_cfg = dict(
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='gloo'),
)
randomness = dict(seed=0)
log_level = 'INFO'
load_from = None
resume = False
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='pe_mm.MuonOptimWrapperConstructor',
    paramwise_cfg=dict(patch_kernel=True),
    optimizer=dict(
        type='timm.optim.Muon',
        lr=4e-3,
        fallback_lr_scale=0.4,  # 1.6e-3 for AdamW
        betas=(0.9, 0.99),
        nesterov=True,
        weight_decay=0.05,
        ns_steps=3,
        ns_coefficients='polar_express',
    ),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        eta_min=0.0,
        convert_to_iter_based=True,
    ),
]
