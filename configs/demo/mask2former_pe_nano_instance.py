"""Mask2Former on the encoder that mask_rcnn_pe_nano_windowed has trained.

Train that one first.
Command: pe-mm train configs/demo/mask2former_pe_nano_instance.py, or on two processes
as README.md says.
Cost: not timed; the panoptic one takes 17 minutes on 2 busy CPU cores.
Result: box AP 0.097, AP50 0.142; mask AP 0.108, AP50 0.187 (200 scenes, seed 0). It
learns masks long before it learns classes.
"""

_base_ = [
    '../_base_/models/mask2former_pe_nano.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/layer_decay_cosine.py',
    '../_base_/trained_nano_encoder.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(init_cfg=_base_.trained_encoder))
# Twice the schedule's: the head, unlike the encoder, starts from scratch.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
