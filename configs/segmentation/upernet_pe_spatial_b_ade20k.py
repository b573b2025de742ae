"""UPerNet fine-tuned on four layers of PE-Spatial B, ADE20k, 512 px, for 8 GPUs.

Layers 2, 5, 8 and 11 each feed one level of the pyramid, of stride 4 to 32.
Command: torchrun --nproc-per-node 8 -m pe_mm train CONFIG, or on one GPU
pe-mm train configs/segmentation/upernet_pe_spatial_b_ade20k.py
with --cfg-options train_dataloader.batch_size=16.
160000 iterations of 16 images, AdamW 1e-4, as mmseg fine-tunes MAE's B; layer decay 0.7
and drop path 0.1 as in configs/detection. Test in 512 px windows at a stride of 341.
Cost and result: not run here, and not tuned; none is published.
"""

_base_ = [
    '../_base_/models/upernet_pe.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/layer_decay_160k.py',
    '../_base_/seg_iter_runtime.py',
]

train_dataloader = dict(batch_size=2)
