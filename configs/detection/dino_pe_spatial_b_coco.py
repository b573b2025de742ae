"""DINO on PE-Spatial B at its own patch of 16, COCO, for one GPU of 24 GB.

Command: pe-mm train configs/detection/dino_pe_spatial_b_coco.py
What changes against dino_pe_spatial_l_coco.py, and why:
- Strides 8, 16, 32, 64, which follow from the patch; padded to multiples of 64.
- Layer decay 0.7 and drop path 0.1, as ViTDet trains its B.
- 4 images a step and 4 steps an update, for the smaller GPU: a step keeps 3.2 GiB of
  an image of 800 x 1333 px for its backward pass.
Cost and result: not run here, and not tuned.
"""

_base_ = './dino_pe_spatial_l_coco.py'

model = dict(
    data_preprocessor=dict(pad_size_divisor=64),
    backbone=dict(variant='PE-Spatial-B16-512', drop_path_rate=0.1),
    neck=dict(in_channels=768),
)
train_dataloader = dict(batch_size=4)
optim_wrapper = dict(accumulative_counts=4, paramwise_cfg=dict(layer_decay_rate=0.7))
auto_scale_lr = dict(base_batch_size=4)
