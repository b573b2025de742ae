"""Made-up pictures and label maps in the real layouts of ADE20k, Cityscapes and VOC."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((75, 100), (64, 131))  # height, width
IGNORED = 255


def write_ade20k(root: Path) -> None:
    """Labels count from 1; 0 belongs to no class."""
    for split, start in (('training', 0), ('validation', 2)):
        for index, size in enumerate(SIZES, start):
            name = f'ADE_{split[:5]}_{index:08d}'
            _write_pair(
                root / f'images/{split}/{name}.jpg',
                root / f'annotations/{split}/{name}.png',
                size,
                classes=(0, 1, 2, 150),
            )


def write_cityscapes(root: Path) -> None:
    """Files of a city have its folder; 255 are labels that are not evaluated."""
    for split, city in (('train', 'aachen'), ('val', 'lindau')):
        for index, size in enumerate(SIZES):
            name = f'{city}_{index:06d}_000019'
            _write_pair(
                root / f'leftImg8bit/{split}/{city}/{name}_leftImg8bit.png',
                root / f'gtFine/{split}/{city}/{name}_gtFine_labelTrainIds.png',
                size,
                classes=(0, 1, 18, IGNORED),
            )


def write_voc2012(root: Path) -> None:
    """Label maps have a palette, and 255 along the borders of objects."""
    lists = {
        'train': ('SegmentationClass', '2007_000032'),
        'aug': ('SegmentationClassAug', '2008_000002'),
        'val': ('SegmentationClass', '2007_000033'),
    }
    for split, (folder, name) in lists.items():
        names = [name, f'{name[:-1]}9']
        for one, size in zip(names, SIZES, strict=True):
            _write_pair(
                root / f'JPEGImages/{one}.jpg',
                root / f'{folder}/{one}.png',
                size,
                classes=(0, 1, 20, IGNORED),
                palette=True,
            )
        path = root / f'ImageSets/Segmentation/{split}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join(names) + '\n')


WRITERS = {
    'ADE20KDataset': write_ade20k,
    'CityscapesDataset': write_cityscapes,
    'PascalVOCDataset': write_voc2012,
}


def _write_pair(
    image: Path,
    label: Path,
    size: tuple[int, int],
    *,
    classes: Sequence[int],
    palette: bool = False,
) -> None:
    """Write a picture of upright bands, one per class, and their labels."""
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    bands = np.arange(width) * len(classes) // width
    labels = np.broadcast_to(np.array(classes, np.uint8)[bands], size)
    colors = np.random.default_rng(0).integers(0, 256, (len(classes), 3), np.uint8)
    picture = np.broadcast_to(colors[bands], (height, width, 3))
    Image.fromarray(picture).save(image)
    map_ = Image.fromarray(labels)
    if palette:
        map_.putpalette(np.arange(768) % 251)
    map_.save(label)
