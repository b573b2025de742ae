"""Mask R-CNN on a small custom Perception Encoder, trained from scratch in minutes.

Command: pe-mm train configs/demo/mask_rcnn_pe_nano.py, or on two processes as
README.md says.
Cost: 6 minutes on 2 CPU cores.
Result: box AP 0.446, AP50 0.659; mask AP 0.406, AP50 0.652 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_nano.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/muon_cosine.py',
    '../_base_/default_runtime.py',
]
