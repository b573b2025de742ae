"""A DPT depth head on four layers of the nano PE-Spatial's student.

Command: make demo, or pe-mm train configs/demo/dpt_depth_pe_nano.py
Cost: 2 minutes on one CPU core, with the encoder in bfloat16.
Result: RMSE 0.779 m, AbsRel 0.121, d1 0.873 (200 scenes, seed 0); predicting the mean
depth of the training scenes has RMSE 1.62 m.
"""

_base_ = [
    '../_base_/models/dpt_depth_pe_nano.py',
    '../_base_/datasets/demo_depth.py',
    '../_base_/schedules/muon_cosine_quick.py',
    '../_base_/seg_runtime.py',
]
# All 2,000 scenes would take the demo another minute.
train_dataloader = dict(dataset=dict(indices=1200))
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
custom_hooks = [dict(type='pe_mm.AutocastHook')]
optim_wrapper = dict(optimizer=dict(lr=4e-3, fallback_lr_scale=0.4))
