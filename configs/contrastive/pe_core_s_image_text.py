"""PE-Core S on image-text pairs, 131,072 a step: 512 processes x 256. Not run here.

Meta's recipe for S is not published (its model is distilled): these are B's numbers,
its resolutions and their shares of the steps (10 : 8 : 4 : 2) our choice.

    pe-mm train configs/contrastive/pe_core_s_image_text.py
"""

_base_ = [
    '../_base_/models/pe_core_two_towers_small.py',
    '../_base_/pipelines/image_text_384.py',
    '../_base_/datasets/image_text.py',
    '../_base_/schedules/pe_core_image_text.py',
    '../_base_/contrastive_runtime.py',
]

model = dict(
    image_encoder=dict(variant='PE-Core-S16-384', with_mask_token=True),
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
            dict(begin=184_583, size=160),
            dict(begin=332_250, size=224),
            dict(begin=406_083, size=384),
        ],
    )
)
