"""A linear depth head on a small custom Perception Encoder, trained from scratch.

Command: pe-mm train configs/demo/linear_depth_pe_nano.py, or on two processes as
README.md says.
Cost: 4 minutes on 2 CPU cores that had other work too.
Result: RMSE 0.780 m, AbsRel 0.121, d1 0.872 (200 scenes, seed 0); predicting the mean
depth of the training scenes has RMSE 1.62 m.
"""

_base_ = [
    '../_base_/models/linear_depth_pe_nano.py',
    '../_base_/datasets/demo_depth.py',
    '../_base_/schedules/muon_cosine.py',
    '../_base_/seg_runtime.py',
]
optim_wrapper = dict(optimizer=dict(lr=4e-3, fallback_lr_scale=0.4))
