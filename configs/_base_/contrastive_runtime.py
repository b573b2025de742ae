"""Hooks, logging and processes of image-text training, on mmengine alone."""

default_scope = 'mmengine'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='pe_mm.SafeCheckpointHook', by_epoch=False, interval=1000, max_keep_ckpts=2
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    seeded_steps=dict(type='pe_mm.SeededStepsHook'),
    zero_shot=dict(type='pe_mm.ZeroShotHook'),
)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=False)
visualizer = dict(
    type='Visualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
env_cfg = dict(
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)
log_level = 'INFO'
load_from = None
resume = False
