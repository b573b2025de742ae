"""A nano PE-Spatial: the nano PE-Core's encoder drawn to its own layer and to masks."""

variant = dict(depth=8, width=160, heads=4, patch_size=16, image_size=128)
weights = dict(
    type='Pretrained',
    checkpoint='work_dirs/nano/seed_0/stage2_video_text/epoch_5.pth',
    prefix='image_encoder.',
)
model = dict(
    type='pe_mm.SpatialAligner',
    data_preprocessor=dict(type='pe_mm.ImageTextPreprocessor', size=128),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant=variant,
        with_mask_token=True,
        drop_path_rate=0.1,
        init_cfg=weights,
    ),
    teacher=dict(
        type='pe_mm.PerceptionEncoder',
        variant=variant,
        out_indices=(5,),
        init_cfg=weights,
    ),
    mask_teacher=dict(type='pe_mm.SceneMaskTeacher'),
    losses=dict(
        loss_core=dict(type='pe_mm.TokenCosineLoss', target='teacher'),
        loss_locality=dict(
            type='pe_mm.PairwiseSimilarityLoss', target='mask_teacher', temperature=20.0
        ),
    ),
    masking=dict(ratio=0.75, unit=2),
)
