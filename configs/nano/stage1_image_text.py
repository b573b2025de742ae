"""Nano PE-Core, stage 1: things cut out of scenes, and captions; tested by retrieval.

Captions that name only the class leave nothing but the shape to tell a thing by.
Command: pe-mm nano, or pe-mm train configs/nano/stage1_image_text.py on two processes.
"""

_base_ = [
    '../_base_/models/nano_image_text.py',
    '../_base_/datasets/demo_pairs.py',
    '../_base_/nano_augmentation.py',
    '../_base_/nano_runtime.py',
]

train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        data_root='data/nano',
        ann_file='captions/objects_training.jsonl',
        cache=True,
        pipeline=_base_.augmentation,
    ),
)
# The caption that names all things.
scenes = dict(data_root='data/nano', caption_index=1)
val_dataloader = test_dataloader = dict(dataset=scenes)
val_evaluator = test_evaluator = dict(type='pe_mm.RetrievalMetric')
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
custom_hooks = [
    dict(
        type='pe_mm.AutocastHook',
        part='image_encoder',
        methods=('forward', 'forward_with_embedding'),
    ),
    # 276 iterations an epoch.
    dict(
        type='pe_mm.ProgressiveResolutionHook',
        stages=[dict(begin=0, size=96), dict(begin=1200, size=128)],
    ),
]
