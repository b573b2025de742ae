"""Nano PE-Spatial: both losses, to layer 5 of the nano PE-Core and to exact masks.

Command: pe-mm nano, or pe-mm train configs/nano/align_both.py on two processes, with
model.backbone.init_cfg.checkpoint and model.teacher.init_cfg.checkpoint=STAGE_2.
"""

_base_ = [
    '../_base_/models/nano_aligner.py',
    '../_base_/datasets/demo_images.py',
    '../_base_/nano_runtime.py',
]

train_dataloader = dict(
    dataset=dict(
        data_root='data/nano/images/training',
        instance_maps='data/nano/annotations/panoptic_training',
        cache=True,
    )
)
val_dataloader = test_dataloader = val_cfg = test_cfg = None
train_cfg = dict(max_epochs=6)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
custom_hooks = [dict(type='pe_mm.AutocastHook')]
