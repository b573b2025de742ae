"""Linear probe of PE-Spatial G on NYUv2 depth, as DINOv3 evaluates it.

Command: pe-mm train configs/depth/linear_pe_spatial_g_nyu_dinov3.py
Protocol (arXiv 2508.10104, its code's config for NYUv2): frozen encoder, last layer,
batch norm, 1x1 convolution to 256 bins; 38400 iterations of 16 crops of 416 x 544,
AdamW 3e-4, warm-up and cosine, scale-invariant loss; test on whole images and mirrored
ones, Eigen's crop, up to 10 m. DINOv3 sweeps learning rate and weight decay per model
and pads images on all sides to whole patches; we pad right and bottom. Keeping the
checkpoint of the lowest RMSE of all validations (best_rmse_*.pth) is our choice.
Cost: 1.9 B frozen parameters. Not run here.
Result: RMSE 0.362, published by DINOv3.
"""

_base_ = [
    '../_base_/models/linear_depth.py',
    '../_base_/datasets/nyu.py',
    '../_base_/schedules/linear_depth_38k.py',
    '../_base_/seg_iter_runtime.py',
]

default_hooks = dict(checkpoint=dict(save_best='rmse', rule='less'))
