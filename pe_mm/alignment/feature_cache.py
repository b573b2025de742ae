"""A teacher's features on disk, one file per image, for data without augmentation."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor

from pe_mm.checkpoints import read_checkpoint
from pe_mm.checkpoints.writing import save_checkpoint

# Side of the small picture that tells an image from a changed one, and how much its
# values, in units of 127.5 of 255, may differ by another decoder.
_THUMBNAIL = 8
_TOLERANCE = 0.02


class FeatureCache:
    """Keep features of images by their ``sample_id``, in half precision.

    Args:
        root: Folder; other teachers, grids and image sizes have other files in it.
        teacher: Hash of the teacher's weights and options.
    """

    def __init__(self, root: str | Path, teacher: str) -> None:
        self.root = Path(root).expanduser() / teacher[:16]

    def get(
        self,
        image: Tensor,
        sample: BaseDataElement,
        grid: tuple[int, int],
        compute: Callable[[], Tensor],
    ) -> Tensor:
        """Return the features of an image, computing them the first time.

        Args:
            image: (3, H, W), as the teacher sees it.
            sample: With ``sample_id`` in its meta information.
            grid: Rows and columns of tokens.
            compute: Returns the features (N, K).

        Returns:
            (N, K), half precision also the first time, on the image's device.

        Raises:
            ValueError: There is no ``sample_id``, or the image is another one than when
                its features were computed.
            pe_mm.checkpoints.CheckpointError: The file is damaged, or cannot be
                written.
        """
        path = self._path(image, sample, grid)
        thumbnail = F.adaptive_avg_pool2d(image.float(), _THUMBNAIL).cpu()
        if not path.exists():
            features = compute().half()
            content = {'features': features.cpu(), 'thumbnail': thumbnail}
            save_checkpoint(path, content)
            return features
        kept = read_checkpoint(path)
        if (kept['thumbnail'] - thumbnail).abs().max() > _TOLERANCE:
            raise ValueError(
                f'the image of sample {sample.metainfo["sample_id"]!r} is another one '
                f'than when {path} was written: cached features cannot be combined '
                'with random augmentation (flips, crops, colours). Take it out of the '
                'pipeline, or set cache_dir=None; if the data has changed, delete the '
                'file'
            )
        loaded: Tensor = kept['features']
        return loaded.to(image.device)

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
