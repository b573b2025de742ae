"""Small segmentors and batches, as mmseg's configs and data pipelines give them."""

from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import Tensor

CLASSES = 5
ENCODER = dict(depth=4, width=32, heads=2, image_size=56)


def build(**parts: Any) -> EncoderDecoder:
    """Build an EncoderDecoder.

    Args:
        parts: The parts of its config; ``padding`` is the preprocessor's ``test_cfg``.
    """
    padding = parts.pop('padding', None)
    cfg = dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[127.5] * 3,
            std=[127.5] * 3,
            bgr_to_rgb=True,
            size_divisor=1,
            test_cfg=padding,
        ),
        train_cfg={},
        **{'test_cfg': dict(mode='whole'), **parts},
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(ConfigDict(cfg))
        model.init_weights()
    return model


def encoder(patch: int, out_indices: Any = 'all', **options: Any) -> dict[str, Any]:
    """Return the config of a small encoder."""
    variant = dict(ENCODER, patch_size=patch, image_size=4 * patch)
    return dict(
        type='pe_mm.PerceptionEncoder',
        variant=variant,
        out_indices=out_indices,
        **options,
    )


def batch(images: list[Tensor], labels: list[Tensor] | None = None) -> dict[str, Any]:
    """Return what a data loader gives: images (3, H, W) and labels (H, W)."""
    samples = []
    for index, image in enumerate(images):
        size = tuple(image.shape[1:])
        sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
        if labels is not None:
            sample.gt_sem_seg = PixelData(data=labels[index][None])
        samples.append(sample)
    return dict(inputs=images, data_samples=samples)


def logits(model: EncoderDecoder, image: Tensor) -> Tensor:
    """Return the logits (K, H, W) that a segmentor predicts for an image."""
    with torch.no_grad():
        (sample,) = model.eval().test_step(batch([image]))
    return sample.seg_logits.data
