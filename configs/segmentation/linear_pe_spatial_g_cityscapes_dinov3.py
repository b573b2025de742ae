"""Linear probe of PE-Spatial G on Cityscapes, as DINOv3 evaluates it.

Command: pe-mm train configs/segmentation/linear_pe_spatial_g_cityscapes_dinov3.py
Protocol: that of linear_pe_spatial_g_ade20k_dinov3.py. DINOv3 publishes no
config for this data; that it is the same probe at 448 px is our reading of its table.
Cost: 1.9 B frozen parameters. Not run here.
Result: mIoU 73.2, published by DINOv3 (table 3).
"""

_base_ = [
    '../_base_/models/linear_seg_pe.py',
    '../_base_/datasets/cityscapes_448.py',
    '../_base_/schedules/linear_probe_40k.py',
    '../_base_/linear_seg_runtime.py',
]

model = dict(decode_head=dict(num_classes=19))
