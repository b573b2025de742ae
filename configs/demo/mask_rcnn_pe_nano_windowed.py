"""Mask R-CNN on a small windowed Perception Encoder, from scratch.

Windows of 8 tokens, two global blocks, tiled position embedding, rescaled RoPE.
Command: pe-mm train configs/demo/mask_rcnn_pe_nano_windowed.py, or on two processes as
README.md says.
Cost: 9 minutes on 2 CPU cores that had other work too.
Result: box AP 0.432, AP50 0.646; mask AP 0.393, AP50 0.640 (200 scenes, seed 0).
"""

_base_ = [
    '../_base_/models/mask_rcnn_pe_nano_windowed.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/muon_cosine.py',
    '../_base_/default_runtime.py',
]
