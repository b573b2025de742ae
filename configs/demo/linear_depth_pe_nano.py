"""A linear depth head on a small custom Perception Encoder, trained from scratch.

Command: pe-mm train configs/demo/linear_depth_pe_nano.py, or on two processes as
README.md says.
Cost: COST_linear_depth
Result: RESULT_linear_depth
"""

_base_ = [
    '../_base_/models/linear_depth_pe_nano.py',
    '../_base_/datasets/demo_depth.py',
    '../_base_/schedules/muon_cosine.py',
    '../_base_/seg_runtime.py',
]
train_dataloader = dict(batch_size=2)
