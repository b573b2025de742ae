"""A linear classifier on the last layer of a frozen PE-Spatial B, at 512 px.

32 x 32 patches, as at 448 px for patches of 14 pixels.
"""

_base_ = './linear_seg_pe.py'

crop_size = (512, 512)
model = dict(
    data_preprocessor=dict(size=crop_size, test_cfg=dict(size=crop_size)),
    backbone=dict(variant='PE-Spatial-B16-512'),
    decode_head=dict(in_channels=768),
    test_cfg=dict(crop_size=crop_size, stride=(341, 341)),
)
