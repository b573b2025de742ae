"""Clips in the layout of DAVIS-2017, which the demo's clips have too."""

import difflib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pe_mm.data.storage import read_rgb

from .davis_metric import VOID

RESOLUTION = '480p'
ALL = 'all'


@dataclass(frozen=True)
class Clip:
    """One clip: its frames, and the masks that there are.

    Attributes:
        name: Name of its folders.
        frames: The pictures, in order.
        masks: The mask of each frame; None where it is not annotated. The first frame
            always is.
    """

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path | None, ...]

    @cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame."""
        return read_rgb(self.frames[0]).shape[:2]

    @property
    def scored(self) -> tuple[int, ...]:
        """Annotated frames that count: all but the first and the last of them."""
        annotated = [i for i, mask in enumerate(self.masks) if mask is not None]
        return tuple(annotated[1:-1])

    def read_frame(self, index: int) -> NDArray[np.uint8]:
        """Read a frame as (H, W, 3) RGB.

        Raises:
            ValueError: It cannot be read, or is of another size than the first one.
        """
        image = read_rgb(self.frames[index])
        _check_size(self.frames[index], image.shape[:2], self.size)
        return image

    def read_mask(self, index: int) -> NDArray[np.uint8]:
        """Read the (H, W) object ids of an annotated frame; what is void (255) is 0.

        Raises:
            ValueError: It cannot be read, is no map of ids, or not of the frames' size.
        """
        path = self.masks[index]
        assert path is not None
        ids = np.array(read_indexed(path))
        _check_size(path, ids.shape, self.size)
        ids[ids == VOID] = 0
        return ids

    def read_first_mask(self) -> NDArray[np.uint8]:
        """Read the objects to track.

        Raises:
            ValueError: As in ``read_mask``, or there is no object.
        """
        mask = self.read_mask(0)
        if not mask.any():
            raise ValueError(
                f'{self.masks[0]} has no object to track: all its ids are 0, or 255 '
                'for what is not annotated; number the objects of the first frame '
                'from 1'
            )
        return mask

    def read_palette(self) -> list[int]:
        """Return the colours of the first mask, three numbers for each id; maybe none.

        Raises:
            ValueError: As in ``read_mask``.
        """
        path = self.masks[0]
        assert path is not None
        return read_indexed(path).getpalette() or []


class DavisDataset:
    """The clips of a folder with JPEGImages/480p and Annotations/480p.

    Args:
        root: That folder, or one of demo data, which has it under clips.
        split: Which clips: those listed in ImageSets/2017/<split>.txt; 'all' for every
            folder of JPEGImages/480p.
        sequences: Names of some of these clips; None for all of them.

    Attributes:
        root: The folder.
        names: The clips, in the order of the list, or of their names.

    Raises:
        FileNotFoundError: A folder or the list is missing.
        ValueError: There are no clips, or not those that are wanted.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        split: str = 'val',
        sequences: tuple[str, ...] | None = None,
    ) -> None:
        root = Path(root)
        nested = root / 'clips'
        self.root = nested if (nested / 'JPEGImages').is_dir() else root
        self._images = self.root / 'JPEGImages' / RESOLUTION
        self._masks = self.root / 'Annotations' / RESOLUTION
        for folder in (self._images, self._masks):
            if not folder.is_dir():
                raise FileNotFoundError(
                    f'{folder} does not exist; DAVIS-2017 has JPEGImages/{RESOLUTION} '
                    f'and Annotations/{RESOLUTION} there, and so have the clips of '
                    '`pe-mm demo-data DIR`'
                )
        known = self._listed(split)
        for name in sequences or ():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3)
                hint = f'did you mean {" or ".join(near)}? ' if near else ''
                raise ValueError(
                    f'there is no clip {name!r} in the split {split!r}; {hint}'
                    f'It has {_some(known)}; --split all takes every folder'
                )
        self.names = known if sequences is None else tuple(dict.fromkeys(sequences))

    def clip(self, name: str) -> Clip:
        """Find the files of a clip.

        Raises:
            FileNotFoundError: It has no frames, frames are missing, or the mask of the
                first frame is.
        """
        images, masks = self._images / name, self._masks / name
        if not images.is_dir():
            raise FileNotFoundError(f'the frames of clip {name}: no folder {images}')
        frames = {path.stem: path for path in sorted(images.glob('*.jpg'))}
        if not frames:
            raise FileNotFoundError(f'clip {name} has no frames: no *.jpg in {images}')
        annotated = {path.stem: path for path in sorted(masks.glob('*.png'))}
        first = next(iter(frames))
        missing = _gaps(list(frames)) or [s for s in annotated if s not in frames]
        if missing:
            raise FileNotFoundError(
                f'clip {name} has missing frames: no {_some(missing, ".jpg")} in '
                f'{images}; labels are carried from frame to frame, so get them, or '
                'leave the clip out'
            )
        if first not in annotated:
            raise FileNotFoundError(
                f'clip {name} has no mask of its first frame, which says what to '
                f'track: {masks / first}.png'
            )
        return Clip(
            name, tuple(frames.values()), tuple(annotated.get(stem) for stem in frames)
        )

    def _listed(self, split: str) -> tuple[str, ...]:
        if split == ALL:
            folders = (path.name for path in self._images.iterdir() if path.is_dir())
            names = sorted(name for name in folders if not name.startswith('.'))
        else:
            folder = self.root / 'ImageSets' / '2017'
            file = folder / f'{split}.txt'
            if not file.is_file():
                known = sorted(path.stem for path in folder.glob('*.txt'))
                raise FileNotFoundError(
                    f'there is no list of clips {file}; splits there: '
                    f'{_some([*known, ALL])}'
                )
            names = file.read_text().split()
        if not names:
            raise ValueError(f'the split {split!r} of {self.root} has no clips')
        return tuple(names)


def read_indexed(path: Path) -> Image.Image:
    """Read a picture whose pixels are object ids: an indexed or a grey PNG of 8 bits.

    Raises:
        ValueError: It cannot be read, or is of another kind.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, UnidentifiedImageError) as error:
        raise ValueError(f'mask {path} cannot be read: {error}') from error
    if image.mode not in ('P', 'L'):
        raise ValueError(
            f'mask {path} is {image.mode}, but object ids are read from indexed or '
            f'grey PNGs of 8 bits, which hold at most {VOID - 1} objects; save it as '
            'one, and track more objects in several runs'
        )
    return image


def _check_size(path: Path, got: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if got != wanted:
        height, width = wanted
        raise ValueError(
            f'{path} has {got[0]} x {got[1]} pixels, the first frame of its clip has '
            f'{height} x {width}; all frames and masks of a clip must have one size'
        )


def _gaps(stems: list[str]) -> list[str]:
    """Return the first missing name of each gap, where frames are numbered evenly."""
    if len(stems) < 3 or not all(stem.isascii() and stem.isdigit() for stem in stems):
        return []
    numbers = sorted(map(int, stems))
    pairs = list(pairwise(numbers))
    step = min(b - a for a, b in pairs)
    return [f'{a + step:0{len(stems[0])}d}' for a, b in pairs if b - a != step]


def _some(names: list[str] | tuple[str, ...], suffix: str = '', most: int = 5) -> str:
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(f'{name}{suffix}' for name in names[:most]) + more
