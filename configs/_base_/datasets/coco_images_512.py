"""``coco_images_448`` at 512 px, where 32 x 32 patches have 16 pixels."""

_base_ = './coco_images.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='pe_mm.TorchvisionTransforms',
                transforms=[
                    dict(
                        type='RandomResizedCrop',
                        size=512,
                        scale=(0.75, 1.0),
                        ratio=(0.75, 1.3333),
                    ),
                    dict(type='ColorJitter', brightness=0.32, saturation=0.32),
                    dict(type='RandomHorizontalFlip', p=0.5),
                ],
            )
        ]
    )
)
