"""PE-Core T on video-text pairs, after image-text training: 64 processes x 64 clips.

5.4K steps of 4,096 clips of 8 frames at 384 px. Not run here. From Meta's weights:
``--cfg-options model.init_cfg.checkpoint=hf://facebook/PE-Core-T16-384/PE-Core-T16-384.pt``

    pe-mm train configs/contrastive/pe_core_t_video_text.py
"""

_base_ = [
    '../_base_/models/pe_core_two_towers_small.py',
    '../_base_/pipelines/image_text_384.py',
    '../_base_/datasets/video_text.py',
    '../_base_/schedules/pe_core_video_text.py',
    '../_base_/contrastive_runtime.py',
]

model = dict(
    image_encoder=dict(variant='PE-Core-T16-384'),
    init_cfg=dict(
        type='Pretrained',
        checkpoint='work_dirs/pe_core_t_image_text/iter_443000.pth',
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
