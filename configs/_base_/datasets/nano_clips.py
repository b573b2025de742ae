"""Rendered clips with the caption that names their things; made by ``pe-mm nano``."""

data_root = 'data/nano'
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='pe_mm.VideoTextFolder',
        data_root=data_root,
        ann_file='captions/clips_training.jsonl',
        caption_index=0,
        frames=8,
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
                    dict(type='ColorJitter', brightness=0.32),
                ],
            )
        ],
    ),
)
