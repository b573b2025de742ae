"""Retrieval between held-out scenes and the captions that name their things.

Command: pe-mm test configs/nano/zero_shot_images.py CHECKPOINT
"""

_base_ = ['../_base_/models/nano_image_text.py', '../_base_/nano_runtime.py']

test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='pe_mm.ImageTextFolder',
        data_root='data/nano',
        ann_file='captions/validation.jsonl',
        caption_index=1,
        test_mode=True,
        pipeline=[
            dict(
                type='pe_mm.TorchvisionTransforms',
                transforms=[dict(type='Resize', size=(128, 128))],
            )
        ],
    ),
)
test_evaluator = dict(type='pe_mm.RetrievalMetric')
