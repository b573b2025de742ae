"""Hooks of alignment and distillation; the rest as in image-text training."""

_base_ = './contrastive_runtime.py'

default_hooks = dict(
    _delete_=True,
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Between two updates, which are 16 steps on one GPU: others cannot be resumed.
    checkpoint=dict(
        type='pe_mm.SafeCheckpointHook', by_epoch=False, interval=1600, max_keep_ckpts=2
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    seeded_steps=dict(type='pe_mm.SeededStepsHook'),
)
