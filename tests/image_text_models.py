"""A tiny image-text model with its batches."""

from typing import Any

import torch
from mmengine.structures import BaseDataElement

from pe_mm.contrastive import ImageTextModel

VARIANT: dict[str, Any] = dict(
    depth=2,
    width=16,
    heads=2,
    patch_size=8,
    image_size=32,
    pool='attn',
    final_norm=True,
    embed_dim=8,
)
TEXT = dict(context_length=16, width=16, heads=2, layers=2)
MASKED = dict(batch_fraction=0.5, ratio=0.5, unit=2)


def tiny_model(*, encoder: dict | None = None, **options: Any) -> ImageTextModel:
    """Build the model from one seed; options and those of its encoder may change."""
    torch.manual_seed(0)
    masked = options.get('mask_regularization') is not None
    image_encoder = dict(
        type='pe_mm.PerceptionEncoder',
        variant=VARIANT,
        with_pooling=True,
        with_mask_token=masked,
    )
    options = {'text_encoder': TEXT} | options
    return ImageTextModel(image_encoder | (encoder or {}), **options)


def samples(captions: list[str]) -> list[BaseDataElement]:
    """Return a data sample of each caption, with its number as id."""
    return [
        BaseDataElement(metainfo={'caption': caption, 'sample_id': str(index)})
        for index, caption in enumerate(captions)
    ]
