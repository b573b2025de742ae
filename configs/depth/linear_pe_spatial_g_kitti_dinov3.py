"""Linear probe of PE-Spatial G on KITTI depth, after DINOv3.

Command: pe-mm train configs/depth/linear_pe_spatial_g_kitti_dinov3.py
Protocol: that of linear_pe_spatial_g_nyu_dinov3.py with depth up to 80 m, crops of
352 x 704 and Garg's crop in the test. What else DINOv3 does on KITTI is not
known to us; schedule, crops and augmentation are our choice.
Cost: 1.9 B frozen parameters. Not run here.
Result: RMSE 3.082, published by DINOv3.
"""

_base_ = [
    '../_base_/models/linear_depth.py',
    '../_base_/datasets/kitti.py',
    '../_base_/schedules/linear_depth_38k.py',
    '../_base_/seg_iter_runtime.py',
]

model = dict(data_preprocessor=dict(size=(352, 704)), decode_head=dict(max_depth=80.0))
default_hooks = dict(checkpoint=dict(save_best='rmse', rule='less'))
