"""What every kind of output is: one call per image, one at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mmengine.structures import BaseDataElement

from .classes import Classes
from .files import OutputFolder
from .image_pipeline import PreparedImage
from .images import ImageFile


@dataclass(frozen=True)
class SkippedImage:
    """An image that was left out.

    Args:
        name: Its path as ``ImageFile.name``.
        reason: Why it cannot be read or predicted.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class OutputOptions:
    """What the user chooses.

    Args:
        score_thr: Instances of this score and above are drawn.
        depth_scale: Units of depth PNGs in a metre.
    """

    score_thr: float = 0.3
    depth_scale: float = 1000.0


class Output(Protocol):
    """Writes the predictions of one task."""

    def add(self, image: PreparedImage, sample: Any) -> None:
        """Write what belongs to one image, from the model's data sample."""

    def finish(self, skipped: Sequence[SkippedImage]) -> list[str]:
        """Write what belongs to all images; return warnings for the user."""


def make_output(
    sample: Any, folder: OutputFolder, classes: Classes, options: OutputOptions
) -> Output:
    """Choose the output that fits what a model predicts.

    Args:
        sample: The data sample that the model returned for an image.
        folder: Where to write.
        classes: The model's classes.
        options: The user's choices.

    Raises:
        ValueError: The model predicts nothing that could be written.
    """
    if not isinstance(sample, BaseDataElement):
        sample = BaseDataElement()
    # Each needs its own OpenMMLab package.
    if 'pred_panoptic_seg' in sample:
        from .panoptic import PanopticOutput

        return PanopticOutput(folder, classes, 'pred_instances' in sample)
    if 'pred_instances' in sample:
        from .detection import DetectionOutput

        return DetectionOutput(folder, classes, options.score_thr)
    if 'pred_sem_seg' in sample:
        from .segmentation import SegmentationOutput

        return SegmentationOutput(folder, classes)
    if 'pred_depth_map' in sample:
        from .depth import DepthOutput

        return DepthOutput(folder, options.depth_scale)
    raise ValueError(
        "the config's model gives none of what can be written: instances, panoptic "
        'segments, a label map or a depth map'
    )


def in_order(records: dict[ImageFile, Any]) -> list[Any]:
    """Return records by the names of their images; batches finish in another order."""
    return [records[file] for file in sorted(records, key=lambda file: file.name)]


def skipped_json(skipped: Sequence[SkippedImage]) -> list[dict[str, str]]:
    """Return the images that were left out, as all JSON files list them."""
    return [{'file_name': image.name, 'reason': image.reason} for image in skipped]


def unnamed_warning(classes: Classes) -> list[str]:
    """Return a warning where the names of the classes are not known."""
    if classes.named:
        return []
    return [
        f'neither checkpoint nor config names the {len(classes)} classes of the model, '
        'so they are called by their numbers; name them with '
        'test_dataloader.dataset.metainfo.classes in the config'
    ]
