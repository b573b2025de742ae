"""Nano PE-Core, stage 1: scenes and captions, 96 px and then 128 px.

Command: pe-mm nano, or pe-mm train configs/nano/stage1_image_text.py (data:
pe-mm demo-data data/nano, with the numbers of configs/nano/README.md).
"""

_base_ = [
    '../_base_/models/nano_image_text.py',
    '../_base_/datasets/nano_pairs.py',
    '../_base_/nano_runtime.py',
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=24)
custom_hooks = [
    dict(
        type='pe_mm.AutocastHook',
        part='image_encoder',
        methods=('forward', 'forward_with_embedding'),
    ),
    # 62 iterations an epoch with two processes.
    dict(
        type='pe_mm.ProgressiveResolutionHook',
        stages=[dict(begin=0, size=96), dict(begin=1240, size=128)],
    ),
]
