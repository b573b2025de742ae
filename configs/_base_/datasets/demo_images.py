"""Demo scenes with the ids of their segments; made by ``pe-mm demo-data data/demo``."""

data_root = 'data/demo/'
train_transforms = [
    dict(type='RandomResizedCrop', size=128, scale=(0.5, 1), ratio=(0.75, 1.3333)),
    dict(type='RandomHorizontalFlip', p=0.5),
    dict(type='ColorJitter', brightness=0.32, saturation=0.32),
]
test_transforms = [dict(type='Resize', size=(128, 128))]

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    collate_fn=dict(type='pe_mm.stack_inputs'),
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    dataset=dict(
        type='pe_mm.ImageFolder',
        data_root=data_root + 'images/training',
        instance_maps=data_root + 'annotations/panoptic_training',
        pipeline=[
            dict(type='pe_mm.TorchvisionTransforms', transforms=train_transforms)
        ],
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='pe_mm.ImageFolder',
        data_root=data_root + 'images/validation',
        instance_maps=data_root + 'annotations/panoptic_validation',
        pipeline=[dict(type='pe_mm.TorchvisionTransforms', transforms=test_transforms)],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
