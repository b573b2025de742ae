"""A linear segmentation head on layers of the nano PE-Spatial's student.

Command: make demo, or pe-mm train configs/demo/linear_seg_pe_nano.py
Cost: 8 minutes on one CPU core, and a fifth of another.
Result: mIoU 67.0, mAcc 76.8, aAcc 91.3 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/linear_seg_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
