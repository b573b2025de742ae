"""Mask R-CNN on a small custom Perception Encoder, trained from scratch in minutes.

Command: make demo (data, training, test, pictures), or step by step as README.md says.
Cost: COST
Result: RESULT
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_nano.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/muon_cosine.py',
    '../_base_/default_runtime.py',
]
