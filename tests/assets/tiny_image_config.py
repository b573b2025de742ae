"""Two epochs of the tiny model on ROOT's images, with everything random seeded."""

custom_imports = dict(imports=['tiny_image_model'], allow_failed_imports=False)
default_scope = 'mmengine'
model = dict(
    type='TinyImageModel', data_preprocessor=dict(type='pe_mm.ImageTextPreprocessor')
)
crop = dict(type='RandomResizedCrop', size=16)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    dataset=dict(
        type='pe_mm.ImageFolder',
        data_root='ROOT/images',
        pipeline=[dict(type='pe_mm.TorchvisionTransforms', transforms=[crop])],
    ),
)
train_cfg = dict(by_epoch=True, max_epochs=2)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.01))
custom_hooks = [dict(type='pe_mm.SeededStepsHook')]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1),
)
randomness = dict(seed=0)
