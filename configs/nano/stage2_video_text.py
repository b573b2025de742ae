"""Nano PE-Core, stage 2: clips of 8 frames and captions, 128 px; tested by retrieval.

Command: pe-mm nano, or pe-mm train configs/nano/stage2_video_text.py --cfg-options
load_from=STAGE_1
"""

_base_ = [
    '../_base_/models/nano_image_text.py',
    '../_base_/datasets/demo_clips.py',
    '../_base_/nano_augmentation.py',
    '../_base_/nano_runtime.py',
]

# The caption that names all things.
clips = dict(data_root='data/nano', caption_index=0)
train_dataloader = dict(
    batch_size=8, dataset=dict(pipeline=_base_.augmentation, **clips)
)
val_dataloader = dict(dataset=clips)
test_dataloader = dict(dataset=clips)
val_evaluator = test_evaluator = dict(type='pe_mm.RetrievalMetric', visual='video')
max_epochs = 5
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
custom_hooks = [
    dict(
        type='pe_mm.AutocastHook',
        part='image_encoder',
        methods=('forward', 'forward_with_embedding'),
    ),
]
