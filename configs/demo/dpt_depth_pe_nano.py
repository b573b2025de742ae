"""A DPT depth head on a small custom Perception Encoder, trained from scratch.

Command: pe-mm train configs/demo/dpt_depth_pe_nano.py, or on two processes as
README.md says.
Cost: 13 minutes on 2 CPU cores that had as much other work.
Result: RMSE 0.726 m, AbsRel 0.115, d1 0.894 (200 scenes, seed 0); predicting the mean
depth of the training scenes has RMSE 1.62 m.
"""

_base_ = [
    '../_base_/models/dpt_depth_pe_nano.py',
    '../_base_/datasets/demo_depth.py',
    '../_base_/schedules/muon_cosine.py',
    '../_base_/seg_runtime.py',
]
train_dataloader = dict(batch_size=2)
optim_wrapper = dict(optimizer=dict(lr=4e-3, fallback_lr_scale=0.4))
