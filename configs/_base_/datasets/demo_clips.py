"""Demo clips with captions, 8 frames of each; made by ``pe-mm demo-data data/demo``.

There are 4 unless ``--clips`` asks for more; every fourth is held out.
"""

data_root = 'data/demo/'
resize = dict(type='Resize', size=(128, 128))
pipeline = [dict(type='pe_mm.TorchvisionTransforms', transforms=[resize])]

train_dataloader = dict(
    batch_size=3,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    collate_fn=dict(type='pe_mm.stack_inputs'),
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    dataset=dict(
        type='pe_mm.VideoTextFolder',
        data_root=data_root,
        ann_file='captions/clips_training.jsonl',
        frames=8,
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='pe_mm.VideoTextFolder',
        data_root=data_root,
        ann_file='captions/clips_validation.jsonl',
        frames=8,
        pipeline=pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
