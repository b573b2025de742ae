"""Cascade Mask R-CNN on a small windowed Perception Encoder, from scratch.

Command: pe-mm train configs/demo/cascade_mask_rcnn_pe_nano.py, or on two processes as
README.md says.
Cost: 12 minutes on 2 CPU cores that had other work too.
Result: box AP 0.501, AP50 0.698; mask AP 0.439, AP50 0.691 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/cascade_mask_rcnn_pe_nano.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/muon_cosine.py',
    '../_base_/default_runtime.py',
]
