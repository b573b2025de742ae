"""The output folder: checked before the work, written file by file, each whole."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray

from pe_mm.checkpoints.writing import atomic_file, make_out_folder

from .drawing import Picture
from .images import ImageFile

PREDICTIONS = 'predictions.json'
IMAGES = 'images.json'
PANOPTIC = 'panoptic.json'
RUN = 'run.json'

_RESULTS = (PREDICTIONS, IMAGES, PANOPTIC)
_SUFFIXES = {'pictures': '.jpg', 'labels': '.png', 'depth': '.png', 'panoptic': '.png'}
_MADE_BY = {'made_by': 'pe-mm predict'}

_JPEG_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]


class OutputFolder:
    """A folder that predictions are written to.

    run.json marks it as one: what an earlier run left is replaced, what anybody else
    has there is not.

    Args:
        root: The folder, which is made if it is missing.

    Raises:
        OSError: It cannot be made or written to, or it is a file.
        ValueError: Something that a run would write is there, of no earlier run.
    """

    def __init__(self, root: Path) -> None:
        make_out_folder(root)
        self.root = root
        self._written: set[str] = set()
        foreign = [n for n in (*_RESULTS, RUN, *_SUFFIXES) if _holds(root / n)]
        if foreign and not _is_ours(root / RUN):
            raise ValueError(
                f'--out {root} has {", ".join(foreign)} of no earlier run of pe-mm '
                'predict, which could be overwritten; give a folder of its own, such '
                f'as {root / "predictions"}'
            )

    def check_inputs(self, source: Path, images: Sequence[ImageFile]) -> None:
        """Make sure that no image to predict is where something may be written.

        Args:
            source: The image or the directory that was given.
            images: What was found there.

        Raises:
            ValueError: Naming the first such image or directory.
        """
        folders = [(self.root / name).resolve() for name in _SUFFIXES]
        places = (
            self.root / folder / f'{image.output_name}{suffix}'
            for image in images
            for folder, suffix in _SUFFIXES.items()
        )
        planned = {place.resolve() for place in places if place.exists()}
        for path in (source, *(image.path for image in images)):
            real = path.resolve()
            if real in planned or any(real.is_relative_to(f) for f in folders):
                raise ValueError(
                    f'{path} is where predictions in --out {self.root} are written, '
                    'which could overwrite it; give another folder'
                )

    def start(self) -> None:
        """Mark the folder as one of predictions that are not finished."""
        self._write_run({'finished': False})

    def finish(self, predicted: int, skipped: Sequence[dict[str, str]]) -> None:
        """Delete an earlier run's JSON files that were not replaced, and sum up.

        Its pictures are replaced where the names are the same, and stay otherwise.

        Args:
            predicted: Number of images that were predicted.
            skipped: The others, as all JSON files list them.
        """
        for name in set(_RESULTS) - self._written:
            (self.root / name).unlink(missing_ok=True)
        self._write_run({'finished': True, 'predicted': predicted, 'skipped': skipped})

    def write_picture(self, name: str, picture: Picture) -> str:
        """Write a BGR picture for people; return its path inside the folder."""
        place = f'pictures/{name}.jpg'
        self._write(place, cv2.imencode('.jpg', picture, _JPEG_QUALITY)[1].tobytes())
        return place

    def write_png(self, folder: str, name: str, values: NDArray[Any]) -> str:
        """Write (H, W) numbers of 8 or 16 bits or (H, W, 3) BGR, without loss.

        Returns:
            The path inside the folder.
        """
        place = f'{folder}/{name}{_SUFFIXES[folder]}'
        self._write(place, cv2.imencode('.png', values)[1].tobytes())
        return place

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file at the top of the folder."""
        self._write(name, (json.dumps(content) + '\n').encode())
        self._written.add(name)

    def _write_run(self, facts: dict[str, Any]) -> None:
        self.write_json(RUN, {**_MADE_BY, **facts})

    def _write(self, place: str, data: bytes) -> None:
        with atomic_file(self.root / place) as temporary:
            temporary.write_bytes(data)


def _holds(path: Path) -> bool:
    """Tell whether there is a file, or a folder with something in it."""
    return any(path.iterdir()) if path.is_dir() else os.path.lexists(path)


def _is_ours(path: Path) -> bool:
    """Tell whether a file is the run.json of an earlier run."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and _MADE_BY.items() <= content.items()
