"""Images that tell which ones they are."""

import io

import numpy as np
from PIL import Image


def encoded(number, size=(8, 10), format='PNG'):
    """Encode a plain image that tells its number by its red."""
    pixels = np.full((*size, 3), (number, 7, 200), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def number_of(item):
    """Return the number of a plain image's, or of each frame's."""
    return item['inputs'][..., 0, 0, 0].tolist()
