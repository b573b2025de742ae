"""A linear segmentation head on layers of the nano PE-Spatial.

Command: pe-mm train configs/demo/linear_seg_pe_nano.py, or on two processes as
README.md says.
Cost: 6 minutes on 2 CPU cores.
Result: mIoU 55.7, mAcc 67.5, aAcc 87.6 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/linear_seg_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
