"""Panoptic Mask2Former on the encoder that mask_rcnn_pe_nano_windowed has trained.

Train that one first.
Command: pe-mm train configs/demo/mask2former_pe_nano_panoptic.py, or on two processes
as README.md says.
Cost: 17 minutes on 2 CPU cores that had other work too.
Result: PQ 15.5, of stuff 74.9; mask AP 0.115 (200 scenes, seed 0). It learns masks long
before it learns classes, and has not learned those of things yet.
"""

_base_ = [
    '../_base_/models/mask2former_pe_nano.py',
    '../_base_/datasets/demo_panoptic.py',
    '../_base_/schedules/layer_decay_cosine.py',
    '../_base_/trained_nano_encoder.py',
    '../_base_/default_runtime.py',
]
num_stuff_classes = 3
model = dict(
    backbone=dict(init_cfg=_base_.trained_encoder),
    data_preprocessor=dict(pad_seg=True, seg_pad_value=255),
    panoptic_head=dict(
        num_stuff_classes=num_stuff_classes,
        loss_cls=dict(class_weight=[1.0] * (12 + num_stuff_classes) + [0.1]),
    ),
    panoptic_fusion_head=dict(num_stuff_classes=num_stuff_classes),
    test_cfg=dict(panoptic_on=True),
)
# Twice the schedule's: the head, unlike the encoder, starts from scratch.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
