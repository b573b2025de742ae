"""Nano PE-Spatial: both losses, to layer 5 of the nano PE-Core and to exact masks.

Command: pe-mm nano.
"""

_base_ = [
    '../_base_/models/nano_aligner.py',
    '../_base_/datasets/nano_images.py',
    '../_base_/nano_runtime.py',
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
custom_hooks = [dict(type='pe_mm.AutocastHook')]
