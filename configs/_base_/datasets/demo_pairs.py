"""Demo scenes with captions; made by ``pe-mm demo-data data/demo``.

No flips and no crops: captions tell left from right, and count.
"""

data_root = 'data/demo/'
resize = dict(type='Resize', size=(128, 128))
pipeline = [dict(type='pe_mm.TorchvisionTransforms', transforms=[resize])]

# No worker processes: on two cores they would only take turns with the training.
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    collate_fn=dict(type='pe_mm.stack_inputs'),
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    dataset=dict(
        type='pe_mm.ImageTextFolder',
        data_root=data_root,
        ann_file='captions/training.jsonl',
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='pe_mm.ImageTextFolder',
        data_root=data_root,
        ann_file='captions/validation.jsonl',
        pipeline=pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
