"""Images as an encoder takes them and as figures show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pe_mm.data.storage import read_rgb

MAX_SIZE = 1024  # Of images whose size was not chosen: 64 x 64 patches of 16 pixels.


@dataclass(frozen=True)
class Picture:
    """An image, resized to whole patches.

    Attributes:
        name: Name of the file without its suffix; numbered where others have the same.
        pixels: (H, W, 3) RGB.
    """

    name: str
    pixels: NDArray[np.uint8]


def read_pictures(
    paths: Sequence[Path], size: int | None, patch_size: int
) -> list[Picture]:
    """Read images, resized to whole patches.

    Args:
        paths: The files.
        size: Longer side in pixels; None for the image's own, but at most MAX_SIZE.
        patch_size: Side of a patch in pixels, to which both sides are rounded.

    Raises:
        ValueError: The size is less than a patch, or a file is no image.
        OSError: A file cannot be read.
    """
    if size is not None and size < patch_size:
        raise ValueError(
            f'--size must be at least a patch of {patch_size} pixels, got {size}'
        )
    names = [path.stem for path in paths]
    if len({name.casefold() for name in names}) < len(names):
        names = [f'{index}_{name}' for index, name in enumerate(names)]
    return [
        Picture(name, _resize(read_rgb(path), size, patch_size))
        for name, path in zip(names, paths, strict=True)
    ]


def _resize(
    image: NDArray[np.uint8], size: int | None, patch_size: int
) -> NDArray[np.uint8]:
    longer = max(image.shape[:2])
    scale = (min(longer, MAX_SIZE) if size is None else size) / longer
    height, width = (
        max(1, round(length * scale / patch_size)) * patch_size
        for length in image.shape[:2]
    )
    if (height, width) == image.shape[:2]:
        return image
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=method).astype(np.uint8)
