"""PE-Core's two towers; the text tower is that of L and B (Meta's released configs)."""

model = dict(
    type='pe_mm.ImageTextModel',
    data_preprocessor=dict(type='pe_mm.ImageTextPreprocessor'),
    image_encoder=dict(
        type='pe_mm.PerceptionEncoder',
        variant='PE-Core-L14-336',
        apply_final_norm=True,
        with_pooling=True,
    ),
    text_encoder=dict(context_length=32, width=1024, heads=16, layers=24),
    max_logit_scale=100.0,
)
