"""The symmetric contrastive loss of CLIP, over the batches of all processes."""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, all_reduce, get_rank, get_world_size
from torch import Tensor


def contrastive_loss(
    visual_features: Tensor, text_features: Tensor, logit_scale: Tensor
) -> Tensor:
    """Tell each image's text from all others, and each text's image (CLIP, InfoNCE).

    Each process scores its own images and texts against those of all processes.
    Gradients flow through what was gathered, so that with gradients averaged over the
    processes, as DistributedDataParallel does, they are those of one joined batch.

    Args:
        visual_features: (B, D), B the same in every process; rows match those of
            ``text_features``.
        text_features: (B, D).
        logit_scale: (), what the similarities are multiplied with.

    Returns:
        (), this process's share: the mean over the processes is the joined batch's.
    """
    # Similarities times 100 need more digits than half precision has.
    with torch.autocast(visual_features.device.type, enabled=False):
        visual, text = visual_features.float(), text_features.float()
        all_visual, all_text = _Gather.apply(torch.stack([visual, text]))
        targets = get_rank() * len(visual) + torch.arange(
            len(visual), device=visual.device
        )
        image_to_text = F.cross_entropy(logit_scale * visual @ all_text.T, targets)
        text_to_image = F.cross_entropy(logit_scale * text @ all_visual.T, targets)
    return (image_to_text + text_to_image) / 2


class _Gather(torch.autograd.Function):
    """Join (K, B, D) features of all processes to (K, processes * B, D)."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        return torch.cat(all_gather(features), dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Every process has a part of the gradient of everybody's features.
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        all_reduce(gradient)  # In place, which autograd's own tensors must not be.
        return gradient.chunk(get_world_size(), dim=1)[get_rank()]
