"""Mask R-CNN as Meta's on the student of the nano PE-Spatial: windows, a pyramid.

Command: make demo (data, training, test, pictures), or step by step as README.md says.
Cost: 4 minutes on one CPU core.
Result: box AP 0.515, AP50 0.719; mask AP 0.473, AP50 0.713 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_nano_windowed.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/muon_cosine_quick.py',
    '../_base_/nano_spatial.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        variant=_base_.nano_variant,
        init_cfg=_base_.nano_weights,
        global_blocks=(3, 7),
    ),
    neck=dict(in_channels=96),
)
train_dataloader = dict(batch_size=4)  # for one process
max_epochs = 2
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
custom_hooks = [dict(type='pe_mm.AutocastHook')]
optim_wrapper = dict(optimizer=dict(lr=4e-3, fallback_lr_scale=0.25))
