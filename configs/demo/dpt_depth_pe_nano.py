"""A DPT depth head on four layers of the nano PE-Spatial's student.

Command: pe-mm train configs/demo/dpt_depth_pe_nano.py, or on two processes as
README.md says.
Cost: 2 minutes on 2 CPU cores, with the encoder in bfloat16.
Result: RMSE 0.770 m, AbsRel 0.119, d1 0.875 (200 scenes, seed 0); predicting the mean
depth of the training scenes has RMSE 1.62 m.
"""

_base_ = [
    '../_base_/models/dpt_depth_pe_nano.py',
    '../_base_/datasets/demo_depth.py',
    '../_base_/schedules/muon_cosine_quick.py',
    '../_base_/seg_runtime.py',
]
# All 2,000 scenes would take the demo another minute.
train_dataloader = dict(batch_size=4, dataset=dict(indices=1200))
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
custom_hooks = [dict(type='pe_mm.AutocastHook')]
optim_wrapper = dict(optimizer=dict(lr=4e-3, fallback_lr_scale=0.4))
