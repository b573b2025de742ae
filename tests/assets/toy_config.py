"""Three epochs of the toy regression, keeping one checkpoint."""

custom_imports = dict(imports=['toy_model'], allow_failed_imports=False)
default_scope = 'mmengine'
model = dict(type='ToyRegressor')
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyDataset'),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=0,
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='ToyDataset'),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_evaluator = dict(type='ToyError')
train_cfg = dict(by_epoch=True, max_epochs=3)
test_cfg = {}
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.1))
param_scheduler = dict(type='ExponentialLR', gamma=0.9)
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1),
)
randomness = dict(seed=0)
