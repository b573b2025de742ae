"""Linear probe of PE-Spatial G on ADE20k, as DINOv3 evaluates it.

Command: pe-mm train configs/segmentation/linear_pe_spatial_g_ade20k_dinov3.py
Protocol (arXiv 2508.10104, section D.1, and its code): frozen encoder, last layer,
batch norm, dropout 0.1, 1x1 convolution; 40000 iterations of 16 images, AdamW 1e-3;
448 px crops; test in 448 px windows at a stride of 298, one scale; the best of the
tests after every 5000 iterations counts (best_mIoU_*.pth).
448 px for patches of 14, so that every model has 1024 tokens, is DINOv3's rule; the
stride, two thirds of it as 341 is of 512, is our reading.
Cost: 1.9 B frozen parameters. Not run here.
Result: mIoU 49.3, published by DINOv3 (table 3).
"""

_base_ = [
    '../_base_/models/linear_seg_pe.py',
    '../_base_/datasets/ade20k_448.py',
    '../_base_/schedules/linear_probe_40k.py',
    '../_base_/linear_seg_runtime.py',
]
