"""A linear segmentation head on a small custom Perception Encoder, from scratch.

Command: pe-mm train configs/demo/linear_seg_pe_nano.py, or on two processes as
README.md says.
"""

_base_ = [
    '../_base_/models/linear_seg_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
