"""Rendered scenes with maps of their objects; made by ``pe-mm nano``."""

data_root = 'data/nano'
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='pe_mm.ImageFolder',
        data_root=data_root + '/images/training',
        instance_maps=data_root + '/annotations/panoptic_training',
        pipeline=[
            dict(
                type='pe_mm.TorchvisionTransforms',
                transforms=[
                    dict(
                        type='RandomResizedCrop',
                        size=128,
                        scale=(0.5, 1),
                        ratio=(0.75, 1.3333),
                        antialias=False,
                    ),
                    dict(type='ColorJitter', brightness=0.32, saturation=0.32),
                    dict(type='RandomHorizontalFlip', p=0.5),
                ],
            )
        ],
    ),
)
