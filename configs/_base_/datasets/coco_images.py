"""COCO's training images without labels; a pipeline follows."""

train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    collate_fn=dict(type='pe_mm.stack_inputs'),
    dataset=dict(type='pe_mm.ImageFolder', data_root='data/coco/train2017'),
)
