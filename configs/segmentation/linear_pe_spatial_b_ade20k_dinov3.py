"""Linear probe of PE-Spatial B on ADE20k, as DINOv3 evaluates its models.

Command: pe-mm train configs/segmentation/linear_pe_spatial_b_ade20k_dinov3.py
Protocol (arXiv 2508.10104, section D.1, and its code): frozen encoder, last layer,
batch norm, dropout 0.1, 1x1 convolution; 40000 iterations of 16 images, AdamW 1e-3;
512 px crops; test in 512 px windows at a stride of 341, one scale; the best of the
tests after every 5000 iterations counts (best_mIoU_*.pth).
Cost: not run here.
Result: mIoU 45.5, published by EUPE (arXiv 2603.22387, table 1); whether its probe
differs from this one is not known to us.
"""

_base_ = [
    '../_base_/models/linear_seg_pe_patch16.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/linear_probe_40k.py',
    '../_base_/linear_seg_runtime.py',
]
