"""Meta's detectors in small: windows as large as the trained grid, ViTDet's pyramid."""

_base_ = './mask_rcnn_pe_nano.py'

model = dict(
    backbone=dict(
        variant=dict(image_size=128),
        out_indices='last',
        window_size=8,
        global_blocks=(2, 5),
        rope='rescale',
        position_embedding='tile',
    ),
    neck=dict(type='pe_mm.SimpleFeaturePyramid', in_channels=128),
)
