"""PE-Core B on image-text pairs, 131,072 a step: 512 processes x 256. Not run here.

The resolutions are the paper's; that each has a third of the steps is our choice,
after its ablation with three (4 billion pairs each).

    pe-mm train configs/contrastive/pe_core_b_image_text.py
"""

_base_ = [
    '../_base_/models/pe_core_two_towers.py',
    '../_base_/pipelines/image_text_224.py',
    '../_base_/datasets/image_text.py',
    '../_base_/schedules/pe_core_image_text.py',
    '../_base_/contrastive_runtime.py',
]

model = dict(
    image_encoder=dict(variant='PE-Core-B16-224', with_mask_token=True),
    mask_regularization=dict(batch_fraction=8192 / 131_072, ratio=0.4),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
default_hooks = dict(
    resolution=dict(
        type='pe_mm.ProgressiveResolutionHook',
        stages=[
            dict(begin=0, size=112),
            dict(begin=147_667, size=160),
            dict(begin=295_333, size=224),
        ],
    )
)
