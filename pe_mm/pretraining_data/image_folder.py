"""Images without texts, with maps of their instances where there are some."""

from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS

from pe_mm.prediction.images import SUFFIXES

from .decoding import CorruptSampleError, Keeping, read_image, read_instance_map
from .sample_dataset import SampleDataset
from .text_folders import Pipeline


@DATASETS.register_module()
class ImageFolder(SampleDataset):
    """All images below a folder, by name.

    ``sample_id`` is the path below the folder. With ``instance_maps`` the data samples
    have an ``instance_map``, int32 (H, W), that goes through the pipeline's crops and
    flips with the image.

    Args:
        data_root: The folder; hidden files and folders are left out.
        instance_maps: A folder of PNGs of the images' names: COCO's panoptic ids
            R + 256 G + 65536 B, or grey or indexed ones of ids.
        pipeline: Transforms of the items.
        test_mode: An image that cannot be read is an error, and not skipped.
        cache: As in ``ImageTextFolder``; of maps too, H x W x 4 bytes each.

    Raises:
        FileNotFoundError: A folder does not exist, has no images, or lacks a map.
    """

    def __init__(
        self,
        data_root: str,
        instance_maps: str | None = None,
        pipeline: Pipeline = (),
        test_mode: bool = False,
        cache: bool = False,
    ) -> None:
        super().__init__(pipeline, test_mode)
        self._read_image = Keeping(read_image) if cache else read_image
        self._read_map = Keeping(read_instance_map) if cache else read_instance_map
        self._root = Path(data_root)
        names = (path.relative_to(self._root) for path in self._root.rglob('*'))
        self._names = sorted(
            str(name)
            for name in names
            if name.suffix.lower() in SUFFIXES
            and not any(part.startswith('.') for part in name.parts)
        )
        if not self._names:
            lack = 'has no images' if self._root.is_dir() else 'does not exist'
            raise FileNotFoundError(f'{data_root} {lack}; give a folder of images')
        self._maps = None if instance_maps is None else Path(instance_maps)
        if self._maps is not None:
            paths = [self._map_of(self._maps, name) for name in self._names]
            missing = [path for path in paths if not path.is_file()]
            if missing:
                raise FileNotFoundError(
                    f'{len(missing)} of {len(paths)} images have no map in '
                    f'instance_maps={instance_maps}; the first: {missing[0]}'
                )

    def __len__(self) -> int:
        """Count the images."""
        return len(self._names)

    def _load(self, index: int, attempt: int) -> dict[str, Any]:
        name = self._names[(index + attempt) % len(self)]
        image = self._read_image(self._root / name)
        item = self._item(image, name)
        if self._maps is not None:
            path = self._map_of(self._maps, name)
            instance_map = self._read_map(path)
            if instance_map.shape != image.shape[-2:]:
                raise CorruptSampleError(
                    f'{path} is {tuple(instance_map.shape)}, its image '
                    f'{tuple(image.shape[-2:])}'
                )
            item['data_samples'].instance_map = instance_map
        return item

    @staticmethod
    def _map_of(folder: Path, name: str) -> Path:
        return folder / Path(name).with_suffix('.png')
