"""PE-Core's augmentation at 224 px (arXiv 2504.13181, table 18), and squashing to test.

Crops of 8 to 100 % of the image with an aspect of 0.75 to 1.33, brightness and
saturation 0.32, flips; all frames of a clip get the same. Meta's test transform
squashes images to a square, too.
"""

train_pipeline = [
    dict(
        type='pe_mm.TorchvisionTransforms',
        transforms=[
            dict(
                type='RandomResizedCrop',
                size=224,
                scale=(0.08, 1.0),
                ratio=(0.75, 1.3333),
            ),
            dict(type='ColorJitter', brightness=0.32, saturation=0.32),
            dict(type='RandomHorizontalFlip', p=0.5),
        ],
    )
]
test_pipeline = [
    dict(
        type='pe_mm.TorchvisionTransforms',
        transforms=[dict(type='Resize', size=(224, 224))],
    )
]
