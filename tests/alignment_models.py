"""Small students and teachers, and scenes of two objects for them."""

from typing import Any

import torch
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement

STUDENT = {
    'depth': 2,
    'width': 32,
    'heads': 2,
    'patch_size': 8,
    'image_size': 32,
    'layer_scale': 0.1,
}
TEACHER = {name: value for name, value in STUDENT.items() if name != 'layer_scale'}


def encoder(variant: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return the config of an encoder."""
    return {'type': 'pe_mm.PerceptionEncoder', 'variant': variant, **options}


def config(**changes: Any) -> dict[str, Any]:
    """Return the config of an aligner with both losses, changed."""
    cfg: dict[str, Any] = {
        'type': 'pe_mm.SpatialAligner',
        'backbone': encoder(STUDENT, with_mask_token=True),
        'teacher': encoder({**TEACHER, 'depth': 3}, out_indices=1),
        'mask_teacher': {'type': 'pe_mm.SceneMaskTeacher'},
        'masking': {'ratio': 0.75, 'unit': 2},
        'losses': {
            'loss_core': {'type': 'pe_mm.TokenCosineLoss', 'target': 'teacher'},
            'loss_locality': {
                'type': 'pe_mm.PairwiseSimilarityLoss',
                'target': 'mask_teacher',
            },
        },
    }
    return {**cfg, **changes}


def build(**changes: Any) -> Any:
    """Build an aligner with seeded weights."""
    torch.manual_seed(0)
    return MODELS.build(config(**changes))


def scenes(batch: int = 4) -> tuple[torch.Tensor, list[BaseDataElement]]:
    """Return pictures (B, 3, 32, 32) of a square each, and its instance map."""
    maps = torch.zeros(batch, 32, 32, dtype=torch.int64)
    for index, instance_map in enumerate(maps):
        top, left = 8 * (index % 2), 8 * (index // 2 % 2)
        instance_map[top : top + 16, left : left + 16] = 7
    generator = torch.Generator().manual_seed(0)
    colors = 2 * torch.rand(batch, 2, 3, 1, 1, generator=generator) - 1
    images = torch.where(maps[:, None] == 7, colors[:, 0], colors[:, 1])
    samples = [
        BaseDataElement(metainfo={'sample_id': f'{k}.png'}, instance_map=instance_map)
        for k, instance_map in enumerate(maps)
    ]
    return images, samples
