"""COCO's training images without labels, 448 px, PE-Spatial's augmentation."""

image_size = 448
train_pipeline = [
    dict(
        type='pe_mm.TorchvisionTransforms',
        transforms=[
            # The whole image but for a change of its aspect.
            dict(
                type='RandomResizedCrop',
                size=image_size,
                scale=(1.0, 1.0),
                ratio=(0.75, 1.3333),
                interpolation='bicubic',
            ),
            dict(type='ColorJitter', brightness=0.32, saturation=0.32),
            dict(type='RandomHorizontalFlip', p=0.5),
        ],
    ),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    dataset=dict(
        type='pe_mm.ImageFolder',
        data_root='data/coco/train2017',
        pipeline=train_pipeline,
    ),
)
