"""Mask2Former fine-tuned on PE-Spatial L, ADE20k semantics, 640 px, for 8 GPUs.

Command: torchrun --nproc-per-node 8 -m pe_mm train CONFIG, or on one GPU
pe-mm train configs/segmentation/mask2former_pe_spatial_l_ade20k.py
with --cfg-options train_dataloader.batch_size=16.
As mask2former_pe_spatial_b_ade20k.py, but: short side 640 px; patch 14 resampled to 16,
layer decay 0.8 and drop path 0.4 as in configs/detection.
Cost and result: not run here, and not tuned; none is published.
"""

_base_ = [
    '../_base_/models/mask2former_seg_pe.py',
    '../_base_/datasets/ade20k_640.py',
    '../_base_/schedules/mask2former_160k.py',
    '../_base_/seg_iter_runtime.py',
]

model = dict(
    data_preprocessor=dict(size=(640, 640)),
    backbone=dict(
        variant='PE-Spatial-L14-448', patch_size=16, drop_path_rate=0.4, with_cp=True
    ),
    neck=dict(in_channels=1024),
)
train_dataloader = dict(batch_size=2)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.8))
