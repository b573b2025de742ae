"""A teacher's features on disk, one file per image, for data without augmentation."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch import Tensor

from pe_mm.checkpoints import read_checkpoint
from pe_mm.checkpoints.writing import save_checkpoint


class FeatureCache:
    """Keep features of images by their ``sample_id``, in half precision.

    An image of other pixels than those of the file has its features computed, and they
    replace the file's: results are right with random augmentation too, where a cache
    is of no use. The first such image is warned of.

    Args:
        root: Folder; other teachers, grids and image sizes have other files in it.
        teacher: Hash of the teacher's weights and options.
    """

    def __init__(self, root: str | Path, teacher: str) -> None:
        self.root = Path(root).expanduser() / teacher[:16]
        self._warned = False

    def get(
        self,
        image: Tensor,
        sample: BaseDataElement,
        grid: tuple[int, int],
        compute: Callable[[], Tensor],
    ) -> Tensor:
        """Return the features of an image, computing them the first time.

        Args:
            image: (3, H, W), mean = std = 0.5 of the 0-1 range.
            sample: With ``sample_id`` in its meta information.
            grid: Rows and columns of tokens.
            compute: Returns the features (N, K).

        Returns:
            (N, K), half precision also the first time, on the image's device.

        Raises:
            ValueError: There is no ``sample_id``.
            pe_mm.checkpoints.CheckpointError: The file is damaged, or cannot be
                written.
        """
        path = self._path(image, sample, grid)
        digest = _digest(image)
        if path.exists():
            kept = read_checkpoint(path)
            if torch.equal(kept['image_digest'], digest):
                loaded: Tensor = kept['features']
                return loaded.to(image.device)
            self._warn(sample.metainfo['sample_id'], path)
        features = compute().half()
        save_checkpoint(path, {'features': features.cpu(), 'image_digest': digest})
        return features

    def _warn(self, sample_id: object, path: Path) -> None:
        if not self._warned:
            print_log(
                f'the image of sample {sample_id!r} is another one than when {path} '
                'was written, and its features are computed again. If the pipeline has '
                'random augmentation (flips, crops, colours), the cache is of no use: '
                'set cache_dir=None, or take the augmentation out',
                logger='current',
                level=logging.WARNING,
            )
        self._warned = True

    def _path(
        self, image: Tensor, sample: BaseDataElement, grid: tuple[int, int]
    ) -> Path:
        sample_id = sample.metainfo.get('sample_id')
        if sample_id is None:
            raise ValueError(
                'cache_dir needs sample_id in the meta information of every data '
                'sample, to name the image; or set cache_dir=None'
            )
        height, width = image.shape[-2:]
        size = f'{height}x{width}_{grid[0]}x{grid[1]}'
        # An id may be a path, or longer than a file's name may be.
        name = hashlib.sha256(str(sample_id).encode()).hexdigest()[:32]
        return self.root / size / name[:2] / f'{name}.safetensors'


def _digest(image: Tensor) -> Tensor:
    """Hash the pixels, which normalising on any device does not change.  -> (32,)."""
    pixels = (image.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    raw = pixels.cpu().contiguous().numpy().tobytes()
    return torch.tensor(list(hashlib.sha256(raw).digest()), dtype=torch.uint8)
