"""From pictures to label maps: what lies around the propagation of labels."""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from pe_mm.engine.encoder_loading import LoadedEncoder

from .label_propagation import Context
from .protocols import Protocol

Picture = NDArray[np.uint8]
LabelMap = NDArray[np.uint8]


@torch.no_grad()
def track_clip(
    loaded: LoadedEncoder,
    frames: Iterable[Picture],
    first_mask: LabelMap,
    protocol: Protocol,
) -> Iterator[list[LabelMap]]:
    """Carry the objects of the first frame through a clip, once for each layer.

    Every frame is encoded once, for all layers, when the one before it is finished.

    Args:
        loaded: The encoder; its ``out_indices`` are the layers.
        frames: (H, W, 3) RGB, all of one size.
        first_mask: (H, W) object ids of the first frame, 0 for the background.
        protocol: The settings.

    Yields:
        For every frame after the first, the (H, W) object ids of each layer.
    """
    encoder = loaded.encoder
    ids = np.union1d([0], first_mask).astype(np.uint8)
    native = first_mask.shape
    size = encoded_size(loaded, native, protocol)
    contexts: list[Context] = []
    for frame in frames:
        maps: Any = encoder(_to_input(loaded, frame, size, protocol))
        if not contexts:
            labels = seed_labels(first_mask, ids, maps[0].shape[-2:])
            contexts = [Context(map_[0], labels, protocol) for map_ in maps]
            continue
        soft = [c.advance(map_[0]) for c, map_ in zip(contexts, maps, strict=True)]
        yield [ids[decide(x, size, native, protocol)] for x in soft]


def encoded_size(
    loaded: LoadedEncoder, native: tuple[int, ...], protocol: Protocol
) -> tuple[int, int]:
    """Return the (height, width) at which frames of a clip are encoded."""
    return protocol.frame_size(
        native[0],
        native[1],
        patch=loaded.encoder.patch_size,
        trained=loaded.trained_grid,
    )


def seed_labels(
    mask: LabelMap, ids: NDArray[np.uint8], grid: tuple[int, ...]
) -> Tensor:
    """Give every token of the first frame the object in its middle.

    Args:
        mask: (H, W) object ids.
        ids: The K ids, ascending.
        grid: Rows and columns of tokens.

    Returns:
        (K, rows, columns) of 0 and 1.
    """
    small = torch.from_numpy(_resize_nearest(mask, grid))
    return (small == torch.from_numpy(ids)[:, None, None]).float()


def decide(
    soft: Tensor, size: tuple[int, int], native: tuple[int, ...], protocol: Protocol
) -> NDArray[np.int64]:
    """Choose a label for every pixel.

    Args:
        soft: (K, h, w) soft labels of the tokens.
        size: (height, width) of the frame that was encoded.
        native: (height, width) of the frame.
        protocol: The settings.

    Returns:
        Numbers from 0 to K - 1, of the native size.
    """
    if protocol.smooth:
        large = functional.interpolate(soft[None], size=size, mode='bilinear')[0]
        best = stretch(large).argmax(0).cpu().numpy()
        return _resize_nearest(best.astype(np.uint8), native).astype(np.int64)
    large = functional.interpolate(soft[None], size=native, mode='nearest')[0]
    return stretch(large).argmax(0).cpu().numpy()


def stretch(soft: Tensor) -> Tensor:
    """Stretch each label's values to the range from 0 to 1.

    A label that has one value everywhere becomes 1, or stays 0: in DINO's script it is
    not a number, which wins everywhere just so.

    Args:
        soft: (K, H, W), not negative.
    """
    flat = soft.flatten(1)
    low, high = (bound[:, None, None] for bound in (flat.amin(dim=1), flat.amax(dim=1)))
    constant = (high > 0).to(soft).expand_as(soft)
    return torch.where(high > low, (soft - low) / (high - low), constant)


def lost_objects(
    loaded: LoadedEncoder, first_mask: LabelMap, protocol: Protocol
) -> list[int]:
    """Return the ids of objects too small to have a token in the first frame."""
    ids = np.union1d([0], first_mask).astype(np.uint8)
    size = encoded_size(loaded, first_mask.shape, protocol)
    grid = tuple(side // loaded.encoder.patch_size for side in size)
    held = seed_labels(first_mask, ids, grid).flatten(1).any(dim=1)
    return [int(i) for i, has in zip(ids, held.tolist(), strict=True) if i and not has]


def _to_input(
    loaded: LoadedEncoder, frame: Picture, size: tuple[int, int], protocol: Protocol
) -> Tensor:
    if protocol.bicubic:
        resized: Any = Image.fromarray(frame).resize(
            size[::-1], Image.Resampling.BICUBIC
        )
    else:
        resized = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_LINEAR)
    pixels = torch.from_numpy(np.array(resized)).movedim(-1, 0)[None]
    return loaded.normalize(pixels)


def _resize_nearest(mask: NDArray[np.uint8], size: tuple[int, ...]) -> LabelMap:
    image = Image.fromarray(mask)
    height, width = size
    return np.array(image.resize((width, height), Image.Resampling.NEAREST))
