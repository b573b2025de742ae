"""Golden features of Meta's code, and the weights and images they were made from."""

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parent / 'golden'

# Fields of our Variant -> fields of Meta's configuration in the golden files.
_FIELDS = {
    'depth': 'layers',
    'width': 'width',
    'heads': 'heads',
    'mlp_ratio': 'mlp_ratio',
    'patch_size': 'patch_size',
    'image_size': 'image_size',
    'class_token': 'use_cls_token',
}


def seeded(key: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return one tensor of a golden state dict, by the rules of golden/README.md."""
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(key.encode())]))
    values = rng.standard_normal(size=shape, dtype=np.float32)
    leaf = key.rsplit('.', 1)[-1]
    if 'ln_' in key or 'norm' in key:
        values = 1 + 0.1 * values if leaf == 'weight' else 0.1 * values
    elif leaf == 'gamma':
        values = 0.1 + 0.02 * values
    elif leaf in ('bias', 'in_proj_bias'):
        values = 0.05 * values
    elif leaf in ('positional_embedding', 'class_embedding', 'probe'):
        values = 0.5 * values
    elif leaf == 'proj':
        values = values / math.sqrt(shape[0])
    else:
        values = values / math.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def image(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return a normalised golden image batch (B, 3, H, W)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return torch.from_numpy(rng.standard_normal(size=shape, dtype=np.float32))


def golden(
    name: str,
) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, np.ndarray]]:
    """Return a golden case: its JSON, its state dict in Meta's layout, its arrays."""
    config = json.loads((GOLDEN / f'{name}.json').read_text())
    shapes = config['state_dict']
    state_dict = {
        key: seeded(key, tuple(shape), config['seed']) for key, shape in shapes.items()
    }
    with np.load(GOLDEN / f'{name}.npz') as arrays:
        return config, state_dict, dict(arrays)


def golden_variant(config: dict[str, Any]) -> dict[str, Any]:
    """Return a golden case's configuration as the fields of a custom variant."""
    meta = config['config']
    return {ours: meta[theirs] for ours, theirs in _FIELDS.items()} | {
        'layer_scale': meta.get('ls_init_value'),
        'pool': 'attn' if meta['pool_type'] == 'attn' else None,
        'final_norm': meta.get('use_ln_post', True),
        'embed_dim': meta['output_dim'],
    }
