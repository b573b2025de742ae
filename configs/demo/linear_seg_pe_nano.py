"""A linear segmentation head on a small custom Perception Encoder, from scratch.

Command: pe-mm train configs/demo/linear_seg_pe_nano.py, or on two processes as
README.md says.
Cost: 8 minutes on 2 CPU cores that had other work too.
Result: mIoU 52.5, mAcc 63.4, aAcc 86.9 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/linear_seg_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
