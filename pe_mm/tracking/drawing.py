"""Pictures of tracked objects: a video, or a sheet of frames for every layer."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from pe_mm.checkpoints.writing import atomic_file
from pe_mm.data.storage import davis_palette
from pe_mm.prediction.drawing import Picture, draw_regions, zoom_of

from .davis_dataset import Clip, read_indexed
from .output import OVERLAYS, TrackFolder, layer_name

FRAMES_PER_SECOND = 12
COLUMNS = 6

_TILE = 280  # Width in pixels of a frame in a sheet.
_GAP = 4
_NAMES = 110  # Width of the names of the rows.
_TEXT = cv2.FONT_HERSHEY_SIMPLEX


def draw_clips(
    kind: str, layers: Sequence[int], clips: Sequence[Clip], folder: TrackFolder
) -> list[str]:
    """Draw the masks that were written for clips.

    Args:
        kind: 'video' for an mp4 of each layer, 'sheet' for one picture of all.
        layers: The layers that were tracked.
        clips: The clips.
        folder: Where the masks are, and the drawings go.

    Returns:
        A warning where sheets were drawn instead of videos.
    """
    warnings: list[str] = []
    for clip in clips:
        palette = clip.read_palette()
        masks = {
            layer_name(layer): [
                folder.mask_path(layer, clip, index)
                for index in range(len(clip.frames))
            ]
            for layer in layers
        }
        if kind == 'video' and not warnings:
            written = [
                write_video(
                    folder.root / OVERLAYS / f'{clip.name}-{name}.mp4',
                    _overlays(clip, paths, palette),
                )
                for name, paths in masks.items()
            ]
            if all(written):
                continue
            warnings = [
                'this build of OpenCV writes no mp4 files, so that sheets were drawn '
                'instead; opencv-python of PyPI writes them'
            ]
        sheet = draw_sheet(clip, masks, palette)
        write_sheet(folder.root / OVERLAYS / f'{clip.name}.jpg', sheet)
    return warnings


def overlay(frame: Picture, labels: Picture, palette: Sequence[int] = ()) -> Picture:
    """Tint the objects of a frame and write their numbers into them.

    Args:
        frame: (H, W, 3) RGB.
        labels: (H, W) object ids.
        palette: Red, green and blue of every id; DAVIS' colours without.

    Returns:
        BGR, at twice the size where the frame is small.
    """
    colors = np.array(palette, np.uint8).reshape(-1, 3) if palette else davis_palette()
    regions = {
        int(k): (str(k), [int(v) for v in colors[int(k) % len(colors)][::-1]])
        for k in np.unique(labels)
        if k
    }
    image = np.ascontiguousarray(frame[..., ::-1])
    return draw_regions(image, labels, regions, zoom=zoom_of(image))


def write_video(path: Path, pictures: Iterable[Picture]) -> bool:
    """Write BGR pictures as an mp4, whole or not at all.

    Returns:
        False where this build of OpenCV cannot write it; then there is no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # OpenCV chooses the container by the suffix, which a temporary file must have too.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix='.video-') as folder:
        temporary = Path(folder) / path.name
        writer = None
        for picture in pictures:
            if writer is None:
                size = picture.shape[1::-1]
                code = cv2.VideoWriter.fourcc(*'mp4v')
                writer = cv2.VideoWriter(str(temporary), code, FRAMES_PER_SECOND, size)
                if not writer.isOpened():
                    return False
            writer.write(picture)
        if writer is None:
            return False
        writer.release()
        os.replace(temporary, path)
    return True


def draw_sheet(
    clip: Clip, found: Mapping[str, Sequence[Path]], palette: Sequence[int] = ()
) -> Picture:
    """Put frames of a clip side by side, the annotation and each layer in rows.

    Args:
        clip: The clip; its annotation is drawn where there is more than the first mask.
        found: Name of a row -> the masks of all frames, such as those of a layer.
        palette: As in ``overlay``.

    Returns:
        BGR.
    """
    last = len(clip.frames) - 1
    chosen = np.unique(np.linspace(0, last, COLUMNS).round().astype(int)).tolist()
    rows: dict[str, Sequence[Path | None]] = {**found}
    if sum(mask is not None for mask in clip.masks) > 1:
        rows = {'annotation': clip.masks, **found}
    drawn = [
        _row(name, [_tile(clip, k, paths[k], palette) for k in chosen])
        for name, paths in rows.items()
    ]
    numbers = _row('frame', [_number(index) for index in chosen])
    return np.vstack([numbers, *drawn])


def write_sheet(path: Path, picture: Picture) -> None:
    """Write a BGR picture as a JPEG, whole or not at all."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    with atomic_file(path) as temporary:
        temporary.write_bytes(cv2.imencode('.jpg', picture, quality)[1].tobytes())


def _overlays(
    clip: Clip, masks: Sequence[Path], palette: Sequence[int]
) -> Iterator[Picture]:
    for index, path in enumerate(masks):
        ids = np.array(read_indexed(path))
        yield overlay(clip.read_frame(index), ids, palette)


def _tile(clip: Clip, index: int, mask: Path | None, palette: Sequence[int]) -> Picture:
    frame = clip.read_frame(index)
    height = max(1, round(_TILE * frame.shape[0] / frame.shape[1]))
    image = cv2.resize(frame, (_TILE, height), interpolation=cv2.INTER_AREA)
    if mask is None:
        return np.full_like(image, 255)
    ids: Picture = np.array(read_indexed(mask))
    ids = cv2.resize(ids, (_TILE, height), interpolation=cv2.INTER_NEAREST)
    picture = overlay(image, ids, palette)
    return cv2.resize(picture, (_TILE, height), interpolation=cv2.INTER_AREA)


def _number(index: int) -> Picture:
    tile = np.full((24, _TILE, 3), 255, np.uint8)
    place = (_TILE // 2 - 8, 17)
    cv2.putText(tile, str(index), place, _TEXT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


def _row(name: str, tiles: Sequence[Picture]) -> Picture:
    height = len(tiles[0])
    head = np.full((height, _NAMES, 3), 255, np.uint8)
    place = (6, height // 2 + 5)
    cv2.putText(head, name, place, _TEXT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    gap = np.full((height, _GAP, 3), 255, np.uint8)
    parts = [head, *(part for tile in tiles for part in (tile, gap))]
    row = np.hstack(parts)
    return np.vstack([row, np.full((_GAP, row.shape[1], 3), 255, np.uint8)])
