"""DINO on the encoder that mask_rcnn_pe_nano_windowed has trained, at patch 14.

Train that one first. The patch kernel of 16 is resampled to 14, and images of 224 px
have the same 16 x 16 patches.
Command: pe-mm train configs/demo/dino_pe_nano.py, or on two processes as README.md
says.
Cost: 16 minutes on 2 CPU cores that had other work too.
Result: box AP 0.401, AP50 0.538, AP75 0.474 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/dino_pe_nano.py',
    '../_base_/datasets/demo_boxes_224.py',
    '../_base_/schedules/layer_decay_cosine.py',
    '../_base_/trained_nano_encoder.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(init_cfg=_base_.trained_encoder))
