"""Images and clips in folders, with captions in a jsonl file."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS
from torch import Tensor

from pe_mm.prediction.images import SUFFIXES

from .decoding import (
    CorruptSampleError,
    Keeping,
    read_image,
    read_video,
    spread_frames,
    stack_frames,
)
from .json_lines import JsonLines, read_captions
from .sample_dataset import SampleDataset

Pipeline = Sequence[Mapping[str, Any] | Callable[..., Any]]


class _TextFolder(SampleDataset):
    """Samples that a jsonl file lists with their captions."""

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        pipeline: Pipeline = (),
        test_mode: bool = False,
        caption_index: int | None = None,
        cache: bool = False,
    ) -> None:
        super().__init__(pipeline, test_mode)
        self._caption_index = caption_index
        self._read_image = Keeping(read_image) if cache else read_image
        self._root = Path(data_root)
        self._records = JsonLines(self._root / ann_file, self._check)

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._records)

    def _check(self, record: dict[str, Any]) -> None:
        self._name(record)
        self._captions(record)

    def _captions(self, record: dict[str, Any]) -> list[str]:
        captions = read_captions(record)
        if self._caption_index is None:
            return captions
        if not 0 <= self._caption_index < len(captions):
            raise ValueError(
                f'caption_index={self._caption_index}, but there are {len(captions)} '
                'captions; count from 0'
            )
        return [captions[self._caption_index]]

    def _name(self, record: dict[str, Any]) -> str:
        raise NotImplementedError

    def _read(self, record: dict[str, Any]) -> Tensor:
        raise NotImplementedError

    def _load(self, index: int, attempt: int) -> dict[str, Any]:
        record = self._records[(index + attempt) % len(self)]
        captions = self._captions(record)
        return self._item(self._read(record), self._name(record), captions)


@DATASETS.register_module()
class ImageTextFolder(_TextFolder):
    """Images with captions, in a jsonl file.

    Its lines::

        {"image": "images/0.jpg", "caption": "A cat on a mat."}
        {"image": "images/1.jpg", "captions": ["A dog.", "A dog in the rain."]}
        {"image": "images/2.jpg", "box": [10, 20, 64, 48], "caption": "A ball."}

    ``box``, (x, y, width, height) in pixels, is the part of the image that the captions
    are about; the rest is cut off. ``sample_id`` is the image's path as the file has
    it, with the box where there is one.

    Args:
        ann_file: The jsonl file, relative to ``data_root``.
        data_root: What the images' paths are relative to, too.
        pipeline: Transforms of the items.
        test_mode: Take the first caption, and keep all of them as ``captions``.
        caption_index: Take this one of each sample's captions, counted from 0, and no
            other, where their order means something; None for all.
        cache: Keep decoded images in memory, H x W x 3 bytes each, in every process
            that loads them: for small data, which would otherwise be decoded anew every
            epoch. Workers forget them after an epoch unless ``persistent_workers``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is empty, or a line has no image, too few captions, or a
            box that is no box.
    """

    def _name(self, record: dict[str, Any]) -> str:
        path = _path_of(record, 'image')
        box = _box_of(record)
        return path if box is None else f'{path}:{",".join(map(str, box))}'

    def _read(self, record: dict[str, Any]) -> Tensor:
        image = self._read_image(self._root / record['image'])
        box = _box_of(record)
        if box is None:
            return image
        x, y, width, height = box
        part = image[:, y : y + height, x : x + width]
        if tuple(part.shape[1:]) != (height, width):
            raise CorruptSampleError(
                f'{self._name(record)} is outside of the image, which has '
                f'{image.shape[2]} x {image.shape[1]} px'
            )
        return part.contiguous()


@DATASETS.register_module()
class VideoTextFolder(_TextFolder):
    """Clips with captions, in a jsonl file.

    Its lines::

        {"video": "clips/0.mp4", "caption": "A ball rolls."}
        {"frames": "clips/1", "captions": ["A cat jumps.", "A jumping cat."]}
        {"frames": ["a/0.jpg", "a/1.jpg"], "caption": "Rain."}

    ``frames`` is a folder of images, taken by name ('2.jpg' after '10.jpg': pad numbers
    with zeros), or a list of images. Of each clip, frames are taken evenly (PE takes 8,
    arXiv 2504.13181, section 2.2); videos are decoded by OpenCV. Items have ``inputs``
    of (T, 3, H, W); ``sample_id`` is the video's path, the folder's, or the first
    frame's.

    Args:
        ann_file: The jsonl file, relative to ``data_root``.
        data_root: What the other paths are relative to, too.
        frames: How many frames to take of each clip.
        pipeline: Transforms of the items.
        test_mode: Take the first caption, and keep all of them as ``captions``.
        caption_index: As in ``ImageTextFolder``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: ``frames`` is not positive; the file is empty, or a line has no clip
            or too few captions.
    """

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        frames: int = 8,
        pipeline: Pipeline = (),
        test_mode: bool = False,
        caption_index: int | None = None,
    ) -> None:
        if frames < 1:
            raise ValueError(f'frames must be at least 1, got {frames}')
        self._frames = frames
        super().__init__(ann_file, data_root, pipeline, test_mode, caption_index)

    def _name(self, record: dict[str, Any]) -> str:
        if 'video' in record:
            return _path_of(record, 'video')
        listed = record.get('frames')
        if isinstance(listed, list) and listed:
            return [_path_of({'frames': frame}, 'frames') for frame in listed][0]
        if 'frames' in record:
            return _path_of(record, 'frames')
        raise ValueError(
            'the clip is missing: give "video": file or "frames": folder or list; '
            f'there are {sorted(record)}'
        )

    def _read(self, record: dict[str, Any]) -> Tensor:
        if 'video' in record:
            return read_video(self._root / record['video'], self._frames)
        listed = record['frames']
        if isinstance(listed, str):
            folder = self._root / listed
            files = [p for p in folder.glob('*') if p.suffix.lower() in SUFFIXES]
            files.sort()
        else:
            files = [self._root / name for name in listed]
        if not files:
            raise CorruptSampleError(f'{self._root / listed} has no images')
        chosen = [files[k] for k in spread_frames(len(files), self._frames)]
        return stack_frames(
            [self._read_image(file) for file in chosen], str(files[0].parent)
        )


def _box_of(record: Mapping[str, Any]) -> list[int] | None:
    box = record.get('box')
    if box is None:
        return None
    whole = isinstance(box, list) and all(isinstance(n, int) for n in box)
    if not whole or len(box) != 4 or min(box) < 0 or min(box[2:]) < 1:
        raise ValueError(
            'box must be [x, y, width, height] in whole pixels, width and height '
            f'at least 1; got {box!r}'
        )
    return box


def _path_of(record: Mapping[str, Any], key: str) -> str:
    path = record.get(key)
    if not isinstance(path, str) or not path:
        raise ValueError(
            f'the {key} is missing: give "{key}": a path, got {path!r}; there are '
            f'{sorted(record)}'
        )
    return path
