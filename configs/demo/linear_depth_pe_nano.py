"""A linear depth head on a small custom Perception Encoder, trained from scratch.

Command: pe-mm train configs/demo/linear_depth_pe_nano.py, or on two processes as
README.md says.
"""

_base_ = [
    '../_base_/models/linear_depth_pe_nano.py',
    '../_base_/datasets/demo_depth.py',
    '../_base_/schedules/muon_cosine.py',
    '../_base_/seg_runtime.py',
]
optim_wrapper = dict(optimizer=dict(lr=4e-3, fallback_lr_scale=0.4))
