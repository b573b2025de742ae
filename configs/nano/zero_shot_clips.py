"""Retrieval between held-out clips and the captions that name their things.

Command: pe-mm test configs/nano/zero_shot_clips.py CHECKPOINT
"""

_base_ = './zero_shot_images.py'

test_dataloader = dict(
    batch_size=10,
    dataset=dict(
        type='pe_mm.VideoTextFolder',
        ann_file='captions/clips_validation.jsonl',
        caption_index=0,
        frames=8,
    ),
)
test_evaluator = dict(visual='video')
