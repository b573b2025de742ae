"""Images with one class each: folders of classes, and objects cut out of scenes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pe_mm.data.squares import square_around
from pe_mm.prediction.images import SUFFIXES

from .config_images import ConfigImages, spread, to_square
from .data_facts import dates, digest, sizes
from .probe_task import Sample

# Of the box's longer side, around an object.
_MARGIN = 0.1


class FolderImages:
    """A folder with a folder of images per class, as ImageNet has it.

    Args:
        root: The folder.
        classes: Names of the classes' folders, in the order of their ids.
        side: Of the square images, in pixels.
        limit: How many images to take, evenly spaced over all; None for all.

    Raises:
        FileNotFoundError: A class has no images.
    """

    def __init__(
        self, root: Path, *, classes: list[str], side: int, limit: int | None
    ) -> None:
        self.side = side
        self._root = root
        found: list[tuple[Path, int]] = []
        for number, name in enumerate(classes):
            images = sorted(
                path
                for path in (root / name).rglob('*')
                if path.suffix.lower() in SUFFIXES
            )
            if not images:
                raise FileNotFoundError(
                    f'{root / name} has no images; every class that is in one of train '
                    'and val must be in both'
                )
            found += [(path, number) for path in images]
        self._items = [found[number] for number in spread(len(found), limit)]

    def __len__(self) -> int:
        """Count the images."""
        return len(self._items)

    def __getitem__(self, index: int) -> Sample:
        """Load an image, and its class id."""
        path, number = self._items[index]
        with Image.open(path) as image:
            rgb: NDArray[np.uint8] = np.array(image.convert('RGB'))
        tensor = torch.from_numpy(rgb).permute(2, 0, 1)
        return Sample(index, to_square(tensor, self.side), number)

    def identity(self) -> str:
        """Return a hash of the files' names and sizes, and of their classes."""
        numbers = [number for _, number in self._items]
        return digest([numbers, sizes(self._files, self._root)])

    def fingerprint(self) -> str:
        """Return a hash of the identity, the files' dates, and the square's side."""
        return digest([self.identity(), dates(self._files), self.side])

    @property
    def _files(self) -> list[Path]:
        return [path for path, _ in self._items]


class LargestObjects:
    """The largest object of every picture that has one, cut out with a margin.

    Args:
        cfg: The dataloader of a config of mmdet.
        side: Of the square images, in pixels.
        limit: How many pictures to take, evenly spaced over all; None for all.
    """

    def __init__(self, cfg: Mapping[str, Any], *, side: int, limit: int | None) -> None:
        self.side = side
        self._scenes = ConfigImages(cfg, scope='mmdet', side=None, limit=None)
        infos = map(self._scenes.dataset.get_data_info, range(len(self._scenes)))
        filled = [n for n, info in enumerate(infos) if _has_object(info)]
        self._numbers = [filled[n] for n in spread(len(filled), limit)]
        self.classes = list(self._scenes.metainfo['classes'])

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        """Load a picture, cut the object out, and return its class id."""
        scene = self._scenes[self._numbers[index]]
        instances = scene.truth.gt_instances
        boxes = instances.bboxes.tensor
        largest = int(((boxes[:, 2:] - boxes[:, :2]).prod(1)).argmax())
        height, width = scene.image.shape[-2:]
        left, top, right, bottom = square_around(
            boxes[largest].tolist(), margin=_MARGIN, size=(width, height)
        )
        crop = to_square(scene.image[:, top:bottom, left:right], self.side)
        return Sample(index, crop, int(instances.labels[largest]))

    def path(self, index: int) -> str:
        """Return the picture's file."""
        info = self._scenes.dataset.get_data_info(self._numbers[index])
        return str(info['img_path'])

    def identity(self) -> str:
        """Return a hash of the pictures, and of how objects are cut out."""
        return digest([self._scenes.identity(), self._numbers, _MARGIN])

    def fingerprint(self) -> str:
        """Return a hash of the pictures, and of the square's side."""
        return digest([self._scenes.fingerprint(), self.identity(), self.side])


def _has_object(info: Mapping[str, Any]) -> bool:
    return any(not instance['ignore_flag'] for instance in info['instances'])
