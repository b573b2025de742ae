"""The symmetric contrastive loss of CLIP, over the batches of all processes."""

import torch
from mmengine.dist import get_rank, get_world_size
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
    from open_clip.loss import ClipLoss

    loss = ClipLoss(
        local_loss=True,
        gather_with_grad=True,
        rank=get_rank(),
        world_size=get_world_size(),
    )
    # Similarities times 100 need more digits than half precision has.
    with torch.autocast(visual_features.device.type, enabled=False):
        value: Tensor = loss(
            visual_features.float(), text_features.float(), logit_scale.float()
        )
    return value
