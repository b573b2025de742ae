"""Clips of 8 frames with texts to train on; MSR-VTT and ImageNet to measure with.

Validation: retrieval on MSR-VTT's 1,000 test clips, one caption each. Test: zero-shot
classification on ImageNet, as before the clips. Pipelines follow.
"""

_base_ = './image_text.py'

train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        type='pe_mm.VideoTextShards',
        shards='data/video_text/*.tar',
        frames=8,
        # 22 million clips: once through Meta's data.
        epoch_length=5400 * 4096,
    ),
)
val_dataloader = dict(
    batch_size=16,
    dataset=dict(
        type='pe_mm.VideoTextFolder',
        data_root='data/msrvtt',
        ann_file='captions_test1k.jsonl',
        frames=8,
    ),
)
val_evaluator = dict(visual='video')
