"""COCO's images with PE-Spatial's augmentation at 448 px.

As in arXiv 2504.13181, table 23: aspect 0.75 to 1.33, brightness and saturation 0.32,
flips. It lists no scale of crops; from 0.75 on, every aspect fits into a square image,
of which no more than a quarter is cut off.
"""

_base_ = './coco_images.py'

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='pe_mm.TorchvisionTransforms',
                transforms=[
                    dict(
                        type='RandomResizedCrop',
                        size=448,
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
