"""Images with one class each, cut out of scenes with boxes."""

from collections.abc import Mapping
from typing import Any

from mmengine.registry import DATASETS

from .sample_dataset import SampleDataset
from .text_folders import Pipeline


@DATASETS.register_module()
class LargestObjectCrops(SampleDataset):
    """The largest object of every picture of a detection dataset, with its class.

    The same squares that the layer sweep classifies. Data samples have ``label``, an
    int, and metainfo ``sample_id``, the picture's path; ``metainfo['classes']`` has the
    names. Pictures without objects are left out.

    Args:
        dataset: The config of an mmdet dataset; what its pipeline loads is used.
        side: Of the squares, in pixels.
        pipeline: Transforms of the items.
    """

    def __init__(
        self, dataset: Mapping[str, Any], side: int, pipeline: Pipeline = ()
    ) -> None:
        from pe_mm.probing.class_images import LargestObjects

        super().__init__(pipeline, test_mode=True)
        self._objects = LargestObjects({'dataset': dataset}, side=side, limit=None)
        self.metainfo = {'classes': tuple(self._objects.classes)}

    def __len__(self) -> int:
        """Count the pictures with objects."""
        return len(self._objects)

    def _load(self, index: int, attempt: int) -> dict[str, Any]:
        sample = self._objects[index]
        item = self._item(sample.image, self._objects.path(index))
        item['data_samples'].label = sample.truth
        return item
