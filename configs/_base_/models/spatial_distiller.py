"""A small student of PE-Spatial G: each token, and how similar tokens are."""

model = dict(
    type='pe_mm.SpatialAligner',
    data_preprocessor=dict(type='pe_mm.ImageTextPreprocessor'),
    backbone=dict(type='pe_mm.PerceptionEncoder', pretrained=True),
    teacher=dict(
        type='pe_mm.PerceptionEncoder', variant='PE-Spatial-G14-448', pretrained=True
    ),
    projector=True,
    losses=dict(
        loss_feature=dict(
            type='pe_mm.TokenCosineLoss', target='teacher', loss_weight=1.0
        ),
        loss_pairwise=dict(
            type='pe_mm.PairwiseSimilarityLoss',
            target='teacher',
            temperature=None,
            loss_weight=1.0,
        ),
    ),
)
