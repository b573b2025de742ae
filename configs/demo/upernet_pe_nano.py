"""UPerNet on four layers of a small custom Perception Encoder, from scratch.

Command: pe-mm train configs/demo/upernet_pe_nano.py, or on two processes as
README.md says.
"""

_base_ = [
    '../_base_/models/upernet_pe_nano.py',
    '../_base_/datasets/demo_semantic.py',
    '../_base_/schedules/muon_cosine_crops.py',
    '../_base_/seg_runtime.py',
]
