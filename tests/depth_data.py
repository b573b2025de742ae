"""Made-up images and depth in the layouts of NYUv2 and KITTI."""

from pathlib import Path

import cv2
import numpy as np

NYU_SIZE = (480, 640)
KITTI_SIZES = ((375, 1242), (370, 1226))


def write_pair(image: Path, depth: Path, size: tuple[int, int], units: float) -> None:
    """Write an image of noise, and depth of 1 to 9 m of which a tenth is missing.

    Args:
        image: Where the image goes.
        depth: Where its 16-bit depth goes.
        size: Height and width.
        units: Units in a metre.
    """
    rng = np.random.default_rng(len(str(image)) + size[0])
    for path in (image, depth):
        path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    metres = rng.uniform(1, 9, size) * (rng.random(size) < 0.9)
    cv2.imwrite(str(depth), np.rint(metres * units).astype(np.uint16))


def write_nyu(root: Path, count: int = 2) -> None:
    """Write mmseg's layout of NYUv2."""
    for split in ('train', 'test'):
        for index in range(1, count + 1):
            name = f'{split}/kitchen_{index:04d}'
            write_pair(
                root / f'images/{name}.jpg',
                root / f'annotations/{name}.png',
                NYU_SIZE,
                units=1000,
            )


def write_kitti(root: Path, count: int = 2) -> None:
    """Write the layout of KITTI, with lists of which every third line has no depth."""
    for split in ('train', 'test'):
        lines = []
        for index in range(count):
            drive = f'2011_09_26_drive_000{index + 1}_sync'
            image = f'2011_09_26/{drive}/image_02/data/{split}.png'
            depth = f'{drive}/proj_depth/groundtruth/image_02/{split}.png'
            size = KITTI_SIZES[index % len(KITTI_SIZES)]
            write_pair(
                root / 'input' / image, root / 'gt_depth' / depth, size, units=256
            )
            lines += [f'{image} {depth} 721.5377', f'{image} {depth} 707.0912']
            lines.append(f'{image} None 721.5377')
        (root / f'kitti_eigen_{split}.txt').write_text('\n'.join(lines) + '\n')


WRITERS = {'NYUDataset': write_nyu, 'pe_mm.KITTIDepthDataset': write_kitti}
