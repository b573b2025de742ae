"""PE-Core G on image-text pairs, 131,072 a step: 512 processes x 256. Not run here.

The resolutions are the paper's; their shares of the steps (10 : 8 : 4 : 2 : 1) are our
choice. 656K x 131,072 = 86 billion pairs.

    pe-mm train configs/contrastive/pe_core_g_image_text.py
"""

_base_ = [
    '../_base_/models/pe_core_two_towers_giant.py',
    '../_base_/pipelines/image_text_448.py',
    '../_base_/datasets/image_text.py',
    '../_base_/schedules/pe_core_image_text_656k.py',
    '../_base_/contrastive_runtime.py',
]

model = dict(
    image_encoder=dict(with_mask_token=True),
    mask_regularization=dict(batch_fraction=8192 / 131_072, ratio=0.4),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
default_hooks = dict(
    resolution=dict(
        type='pe_mm.ProgressiveResolutionHook',
        stages=[
            dict(begin=0, size=98),
            dict(begin=262_400, size=154),
            dict(begin=472_320, size=224),
            dict(begin=577_280, size=336),
            dict(begin=629_760, size=448),
        ],
    )
)
