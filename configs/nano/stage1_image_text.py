"""Nano PE-Core, stage 1: scenes and captions, 96 px, then 128 px; tested by retrieval.

Command: pe-mm nano, or pe-mm train configs/nano/stage1_image_text.py on two processes.
"""

_base_ = [
    '../_base_/models/nano_image_text.py',
    '../_base_/datasets/demo_pairs.py',
    '../_base_/nano_augmentation.py',
    '../_base_/nano_runtime.py',
]

# The caption that names all things; the others tell much less of a scene.
scenes = dict(data_root='data/nano', caption_index=1)
train_dataloader = dict(
    batch_size=64, dataset=dict(pipeline=_base_.augmentation, **scenes)
)
val_dataloader = dict(dataset=scenes)
test_dataloader = dict(dataset=scenes)
val_evaluator = test_evaluator = dict(type='pe_mm.RetrievalMetric')
max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
custom_hooks = [
    dict(
        type='pe_mm.AutocastHook',
        part='image_encoder',
        methods=('forward', 'forward_with_embedding'),
    ),
    # 62 iterations an epoch.
    dict(
        type='pe_mm.ProgressiveResolutionHook',
        stages=[dict(begin=0, size=96), dict(begin=1240, size=128)],
    ),
]
