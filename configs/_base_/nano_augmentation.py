"""Crops that keep most of a scene; no flips: captions tell left and right.

Saturation stays: captions name colours.
"""

augmentation = [
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
]
