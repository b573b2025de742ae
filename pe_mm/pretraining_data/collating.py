"""From items to batches, in the processes that load them."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import FUNCTIONS
from torch import Tensor


@FUNCTIONS.register_module()
def stack_inputs(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Make a batch whose images are one tensor, and its instance maps another.

    mmengine's ``pseudo_collate`` keeps a tensor per sample, each of which goes through
    shared memory, and images to the GPU, on its own: with batches of hundreds of small
    images that takes longer than the training step. As ``collate_fn=dict(type=
    'pe_mm.stack_inputs')`` of a data loader.

    Args:
        items: As a ``SampleDataset`` makes them, after its pipeline; data samples may
            be missing.

    Returns:
        ``inputs``, uint8 (B, 3, H, W) or (B, T, 3, H, W), and ``data_samples``, a list
        whose maps are parts of one tensor, or None where a sample is missing. What
        differs in shape stays a list: ``ImageTextPreprocessor`` says which samples
        differ.
    """
    inputs = _stack([item['inputs'] for item in items])
    found = (item.get('data_samples') for item in items)
    samples = [sample for sample in found if sample is not None]
    if len(samples) < len(items):
        return {'inputs': inputs, 'data_samples': None}
    maps = [sample.instance_map for sample in samples if 'instance_map' in sample]
    if len(maps) == len(samples):
        for sample, instance_map in zip(samples, _stack(maps), strict=True):
            sample.instance_map = instance_map
    return {'inputs': inputs, 'data_samples': samples}


def _stack(tensors: list[Tensor]) -> Tensor | list[Tensor]:
    first = tensors[0]
    alike = all(t.shape == first.shape and t.dtype == first.dtype for t in tensors)
    return torch.stack(tensors) if alike else tensors
