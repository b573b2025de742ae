"""UPerNet fine-tuned on four layers of PE-Spatial L, ADE20k, 640 px, for 8 GPUs.

Layers 5, 11, 17 and 23 each feed one level of the pyramid, of stride 4 to 32.
Command: torchrun --nproc-per-node 8 -m pe_mm train CONFIG, or on one GPU
pe-mm train configs/segmentation/upernet_pe_spatial_l_ade20k.py
with --cfg-options train_dataloader.batch_size=16.
As upernet_pe_spatial_b_ade20k.py, but: 640 px, windows at a stride of 426; patch 14
resampled to 16, layer decay 0.8 and drop path 0.4 as in configs/detection.
Cost and result: not run here, and not tuned; none is published.
"""

_base_ = [
    '../_base_/models/upernet_pe.py',
    '../_base_/datasets/ade20k_640.py',
    '../_base_/schedules/layer_decay_160k.py',
    '../_base_/seg_iter_runtime.py',
]

width, crop_size = 1024, (640, 640)
model = dict(
    data_preprocessor=dict(size=crop_size, test_cfg=dict(size=crop_size)),
    backbone=dict(
        variant='PE-Spatial-L14-448', patch_size=16, drop_path_rate=0.4, with_cp=True
    ),
    neck=dict(in_channels=[width] * 4),
    decode_head=dict(in_channels=[width // 4, width // 2, width, width]),
    auxiliary_head=dict(in_channels=width),
    test_cfg=dict(crop_size=crop_size, stride=(426, 426)),
)
train_dataloader = dict(batch_size=2)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.8))
