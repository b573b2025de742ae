"""What an encoder checks of an image before it computes anything."""

from typing import Any

import torch
from torch import Tensor


def check_image(image: Any, dtype: torch.dtype, patch_size: int) -> None:
    """Check a batch of images.

    Args:
        image: (B, 3, H, W), floating point.
        dtype: Of the weights.
        patch_size: Patch side in pixels.

    Raises:
        ValueError: It is no float tensor of that shape, its dtype is not the weights'
            (but under autocast), or it is smaller than a patch.
    """
    if not isinstance(image, Tensor):
        raise ValueError(
            'image must be a tensor of the shape (batch, 3, height, width); '
            f'got {type(image).__name__}'
        )
    if image.dim() != 4 or image.shape[1] != 3:
        raise ValueError(
            'image must have the shape (batch, 3, height, width), RGB; '
            f'got {tuple(image.shape)}'
        )
    if not image.is_floating_point():
        raise ValueError(
            f'image must be {dtype}, got {image.dtype}; '
            'normalise 0-255 RGB first: (image - mean) / std'
        )
    # In this order: devices such as meta know no autocast.
    if image.dtype != dtype and not torch.is_autocast_enabled(image.device.type):
        raise ValueError(
            f'image is {image.dtype}, the weights are {dtype}; '
            'convert the image, or run under torch.autocast'
        )
    if min(image.shape[-2:]) < patch_size:
        raise ValueError(
            f'image of {image.shape[-2]} x {image.shape[-1]} px is smaller than '
            f'a patch of {patch_size} px; resize it'
        )


def check_hidden(
    hidden: Any, shape: tuple[int, ...], mask_token: Tensor | None
) -> Tensor:
    """Check which patches of a batch are to be hidden.

    Args:
        hidden: A bool tensor.
        shape: The shape that it must have, (B, h, w).
        mask_token: What takes their place.

    Returns:
        The mask token.

    Raises:
        ValueError: There is no mask token, or it is no bool tensor of that shape.
    """
    if mask_token is None:
        raise ValueError(
            'this encoder has no mask token to hide patches behind; build it with '
            'with_mask_token=True'
        )
    if not isinstance(hidden, Tensor) or hidden.dtype != torch.bool:
        given = hidden.dtype if isinstance(hidden, Tensor) else type(hidden).__name__
        raise ValueError(f'hidden must be a bool tensor of {shape}, got {given}')
    if tuple(hidden.shape) != shape:
        raise ValueError(
            f'hidden must have one entry per patch, {shape}; got {tuple(hidden.shape)}'
        )
    return mask_token
