"""Probe: a new Mask R-CNN on the frozen encoder of mask_rcnn_pe_nano_windowed.

Train that one first. Only pyramid and heads learn, which takes a quarter of the time.
Command: pe-mm train configs/demo/mask_rcnn_pe_nano_frozen.py, or on two processes as
README.md says.
Cost: 3 minutes on 2 CPU cores that had other work too.
Result: box AP 0.457, AP50 0.673; mask AP 0.411, AP50 0.665 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_nano_windowed.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/layer_decay_cosine.py',
    '../_base_/trained_nano_encoder.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(freeze=True, init_cfg=_base_.trained_encoder))
