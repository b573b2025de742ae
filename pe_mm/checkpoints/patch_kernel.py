"""Kernels of the patch embedding for another patch size."""

from collections.abc import Mapping

import torch.nn.functional as F
from timm.layers import resample_patch_embed
from torch import Tensor

KERNEL = 'patch_embed.proj.weight'
RESAMPLINGS = ('pseudo_inverse', 'bicubic')


def check_resampling(method: str) -> str:
    """Return the name of a way to resample kernels.

    Raises:
        ValueError: It is none of ``RESAMPLINGS``.
    """
    if method not in RESAMPLINGS:
        raise ValueError(
            f'patch_resampling must be one of {RESAMPLINGS}, got {method!r}'
        )
    return method


def resample_patch_kernel(
    tensors: dict[str, Tensor], wanted: Mapping[str, Tensor], method: str
) -> dict[str, str]:
    """Replace a patch kernel of another size.

    Args:
        tensors: Weights in our names, changed in place.
        wanted: The encoder's tensors.
        method: One of ``RESAMPLINGS``: FlexiViT's pseudo-inverse (arXiv 2212.08013), or
            Meta's for its detectors: bicubic, ``align_corners=False``, without
            antialiasing and without compensation of the norm.

    Returns:
        Name -> what was done, empty where nothing was.
    """
    if KERNEL not in tensors:
        return {}
    kernel, (*channels, height, width) = tensors[KERNEL], wanted[KERNEL].shape
    if list(kernel.shape[:2]) != channels or kernel.dim() != 4 or not kernel.numel():
        return {}
    if kernel.shape[2:] == (height, width):
        return {}
    if method == 'bicubic':
        resampled = F.interpolate(kernel.float(), (height, width), mode='bicubic')
    else:
        resampled = resample_patch_embed(kernel.float(), [height, width])
    tensors[KERNEL] = resampled
    old = f'{kernel.shape[2]}x{kernel.shape[3]}'
    return {KERNEL: f'patch kernel resampled from {old} to {height}x{width}'}
