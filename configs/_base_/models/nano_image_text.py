"""A nano PE-Core: an encoder of 3 million parameters, and a small text tower."""

model = dict(
    type='pe_mm.ImageTextModel',
    data_preprocessor=dict(type='pe_mm.ImageTextPreprocessor', size=128),
    image_encoder=dict(
        type='pe_mm.PerceptionEncoder',
        variant=dict(
            depth=8,
            width=160,
            heads=4,
            patch_size=16,
            image_size=128,
            pool='attn',
            final_norm=True,
            embed_dim=192,
        ),
        apply_final_norm=True,
        with_pooling=True,
        with_mask_token=True,
    ),
    text_encoder=dict(context_length=48, width=128, heads=2, layers=2),
    mask_regularization=dict(batch_fraction=1 / 16, ratio=0.4),
    initial_logit_scale=10.0,
)
