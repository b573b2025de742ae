"""Nano PE-Core, stage 2: clips of 8 frames and captions, at 128 px.

Command: pe-mm nano, or pe-mm train configs/nano/stage2_video_text.py --cfg-options
load_from=STAGE_1.
"""

_base_ = [
    '../_base_/models/nano_image_text.py',
    '../_base_/datasets/nano_clips.py',
    '../_base_/nano_runtime.py',
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=8)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
custom_hooks = [
    dict(
        type='pe_mm.AutocastHook',
        part='image_encoder',
        methods=('forward', 'forward_with_embedding'),
    ),
]
