"""PE-Core aligned into PE-Spatial: its own layer 41, and the masks of SAM 2.1-L."""

model = dict(
    type='pe_mm.SpatialAligner',
    data_preprocessor=dict(type='pe_mm.ImageTextPreprocessor'),
    backbone=dict(
        type='pe_mm.PerceptionEncoder',
        variant='PE-Spatial-G14-448',  # PE-Core G with LayerScale 0.1, less its pooling
        with_mask_token=True,
        drop_path_rate=0.4,
        with_cp=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='hf://facebook/PE-Core-G14-448/PE-Core-G14-448.pt',
            new_layer_scale=True,
        ),
    ),
    teacher=dict(
        type='pe_mm.PerceptionEncoder',
        variant='PE-Core-G14-448',
        out_indices=40,  # the paper's layer 41; blocks above are not built
        pretrained=True,
    ),
    mask_teacher=dict(
        type='pe_mm.SamMaskTeacher',
        checkpoint='facebook/sam2.1-hiera-large',
        points_per_side=32,
        # Not stated in the paper.
        output='single',
        clamp=None,
        interpolation='area',
        dtype='bfloat16',
    ),
    masking=dict(ratio=0.75, unit=2),
    losses=dict(
        loss_core=dict(type='pe_mm.TokenCosineLoss', target='teacher', loss_weight=1.0),
        loss_locality=dict(
            type='pe_mm.PairwiseSimilarityLoss',
            target='mask_teacher',
            temperature=20.0,
            loss_weight=1.0,
        ),
    ),
)
