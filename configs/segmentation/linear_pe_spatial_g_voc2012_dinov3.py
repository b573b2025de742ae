"""Linear probe of PE-Spatial G on VOC 2012, as DINOv3 evaluates it.

Command: pe-mm train configs/segmentation/linear_pe_spatial_g_voc2012_dinov3.py
Protocol: that of linear_pe_spatial_g_ade20k_dinov3.py. DINOv3 publishes no
config for this data; that it is the same probe at 448 px is our reading of its table.
Trained on VOC's 1464 images and 9118 of SBD: our choice, the paper names no set.
Cost: 1.9 B frozen parameters. Not run here.
Result: mIoU 82.7, published by DINOv3 (table 3).
"""

_base_ = [
    '../_base_/models/linear_seg_pe.py',
    '../_base_/datasets/voc2012_448.py',
    '../_base_/schedules/linear_probe_40k.py',
    '../_base_/linear_seg_runtime.py',
]

model = dict(decode_head=dict(num_classes=21))
