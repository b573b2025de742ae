"""PE-Core L on image-text pairs, 131,072 a step: 512 processes x 256. Not run here.

The resolutions are the paper's; their shares of the steps are those of its ablation
(10, 8, 4 and 2 billion pairs), as it gives none for the final model.

    pe-mm train configs/contrastive/pe_core_l_image_text.py
"""

_base_ = [
    '../_base_/models/pe_core_two_towers.py',
    '../_base_/pipelines/image_text_336.py',
    '../_base_/datasets/image_text.py',
    '../_base_/schedules/pe_core_image_text.py',
    '../_base_/contrastive_runtime.py',
]

model = dict(
    image_encoder=dict(variant='PE-Core-L14-336', with_mask_token=True),
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
            dict(begin=184_583, size=154),
            dict(begin=332_250, size=224),
            dict(begin=406_083, size=336),
        ],
    )
)
