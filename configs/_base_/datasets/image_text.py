"""Image-text pairs to train on; COCO and ImageNet to measure with. Pipelines follow.

Training: webdataset shards. Validation: retrieval on COCO's captions (5,000 images of 5
captions, one line of the jsonl per image). Test: zero-shot classification of ImageNet's
validation images in their classes' folders, with OpenAI's 80 prompts;
``class_names.json`` is {folder: name}.
"""

train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='pe_mm.SeededSampler', shuffle=True),
    collate_fn=dict(type='pe_mm.stack_inputs'),
    dataset=dict(
        type='pe_mm.ImageTextShards',
        shards='data/image_text/*.tar',
        # 1,000 steps of 131,072 pairs.
        epoch_length=1000 * 131_072,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pe_mm.stack_inputs'),
    dataset=dict(
        type='pe_mm.ImageTextFolder',
        data_root='data/coco',
        ann_file='captions_val2017.jsonl',
        test_mode=True,
    ),
)
val_evaluator = dict(type='pe_mm.RetrievalMetric')
test_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pe_mm.stack_inputs'),
    dataset=dict(
        type='pe_mm.ImageFolder', data_root='data/imagenet/val', test_mode=True
    ),
)
test_evaluator = dict(
    type='pe_mm.ZeroShotMetric',
    class_names='data/imagenet/class_names.json',
    templates='openai_imagenet',
)
