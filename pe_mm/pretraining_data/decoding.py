"""From the bytes of files to tensors; what cannot be read is one kind of error."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from pe_mm.data.panoptic import read_segment_ids


class CorruptSampleError(ValueError):
    """A sample cannot be read: its file is damaged, missing, or lacks a part."""


def read_image(path: str | Path) -> Tensor:
    """Read an image file.  Returns uint8 (3, H, W), RGB.

    Raises:
        CorruptSampleError: The file is missing, cut short or no image.
    """
    return decode_image(read_file(path), str(path))


class Keeping:
    """Read each file once, and keep what it holds in this process's memory.

    Args:
        read: Returns what a file holds.
    """

    def __init__(self, read: Callable[[Path], Tensor]) -> None:
        self._read = read
        self._kept: dict[Path, Tensor] = {}

    def __call__(self, path: Path) -> Tensor:
        """Return what the file holds; errors are those of ``read``, every time."""
        if path not in self._kept:
            self._kept[path] = self._read(path)
        # A worker that sent the kept tensor itself would share it with the process that
        # trains, through a file descriptor that stays open.
        return self._kept[path].clone()


def read_file(path: str | Path) -> bytes:
    """Read a file whole.

    Raises:
        CorruptSampleError: It cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CorruptSampleError(f'{path}: {error.strerror}') from error


def decode_image(content: bytes, name: str) -> Tensor:
    """Decode an image, turned as its EXIF entry says.  Returns uint8 (3, H, W), RGB.

    Raises:
        CorruptSampleError: It is cut short or no image; named by ``name``.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            rgb = np.array(ImageOps.exif_transpose(image).convert('RGB'))
    except Exception as error:  # Pillow's decoders raise errors of any kind.
        raise CorruptSampleError(f'{name} is no intact image: {error}') from error
    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()


def read_instance_map(path: str | Path) -> Tensor:
    """Read a PNG of ids, COCO's panoptic or grey.  Returns int32 (H, W).

    Raises:
        CorruptSampleError: It cannot be read.
    """
    try:
        return torch.from_numpy(read_segment_ids(Path(path)))
    except Exception as error:  # As above.
        raise CorruptSampleError(f'{path} is no PNG of ids: {error}') from error


def spread_frames(total: int, frames: int) -> list[int]:
    """Choose frames evenly: the first of each of ``frames`` equal parts.

    A shorter clip shows some frames several times.
    """
    return [number * total // frames for number in range(frames)]


def stack_frames(images: Sequence[Tensor], name: str) -> Tensor:
    """Stack the frames of a clip.  (3, H, W) each -> (T, 3, H, W).

    Raises:
        CorruptSampleError: They differ in size.
    """
    sizes = {tuple(image.shape[-2:]) for image in images}
    if len(sizes) > 1:
        raise CorruptSampleError(f'{name} has frames of several sizes: {sorted(sizes)}')
    return torch.stack(list(images))


def read_video(path: str | Path, frames: int) -> Tensor:
    """Read frames of a video file, evenly spread.  Returns uint8 (T, 3, H, W), RGB.

    Raises:
        CorruptSampleError: The file is missing or damaged.
    """
    if not Path(path).is_file():
        raise CorruptSampleError(f'{path}: No such file')
    count = int(_open(path).get(cv2.CAP_PROP_FRAME_COUNT))
    chosen = _decode_frames(path, spread_frames(max(count, 0), frames))
    if chosen is None:
        # The header says more than there is, or nothing, as in streams.
        count = _count_frames(path)
        chosen = _decode_frames(path, spread_frames(count, frames)) if count else None
    if chosen is None:
        raise CorruptSampleError(f'{path} is no intact video: it has no frames')
    return stack_frames(chosen, str(path))


def decode_video(content: bytes, frames: int, name: str) -> Tensor:
    """Decode frames of a video, evenly spread.  Returns uint8 (T, 3, H, W), RGB.

    Raises:
        CorruptSampleError: It is damaged; named by ``name``.
    """
    with NamedTemporaryFile(suffix=Path(name).suffix) as file:
        file.write(content)
        file.flush()
        try:
            return read_video(file.name, frames)
        except CorruptSampleError as error:
            message = str(error).replace(file.name, name)
            raise CorruptSampleError(message) from error


def _open(path: str | Path) -> cv2.VideoCapture:
    return cv2.VideoCapture(str(path))


def _count_frames(path: str | Path) -> int:
    capture, count = _open(path), 0
    while capture.grab():
        count += 1
    return count


def _decode_frames(path: str | Path, numbers: Sequence[int]) -> list[Tensor] | None:
    """Decode frames by number, sorted; None where one of them is missing."""
    # Frame by frame: jumping is not exact in every format.
    capture, images, position = _open(path), [], -1
    image: Tensor | None = None
    for number in numbers:
        while position < number:
            if not capture.grab():
                return None
            position += 1
            image = None
        if image is None:
            intact, bgr = capture.retrieve()
            if not intact:
                return None
            rgb = np.ascontiguousarray(bgr[..., ::-1])
            image = torch.from_numpy(rgb).permute(2, 0, 1).contiguous()
        images.append(image)
    return images
