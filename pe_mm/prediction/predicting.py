"""Running a model over images, in batches of images of one size."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel

from .image_pipeline import (
    ImagePipeline,
    PreparedImage,
    UnreadableImageError,
    error_reason,
)
from .images import ImageFile
from .output import Output, SkippedImage

# So many batches of images wait for others of their size.
_WAITING_BATCHES = 4


def predict_images(
    model: BaseModel,
    pipeline: ImagePipeline,
    images: Sequence[ImageFile],
    output_for: Callable[[Any], Output],
    batch_size: int,
    on_progress: Callable[[int, int], None],
) -> tuple[Output | None, list[SkippedImage]]:
    """Predict images and add them to an output.

    What is wrong with an image, a ValueError of the model's too, is noted and the rest
    goes on; what is wrong with the model, or with the disk, is raised.

    Args:
        model: In eval mode, on its device.
        pipeline: Loads and prepares an image.
        images: The images.
        output_for: Makes the output, from the first data sample.
        batch_size: So many images of equal size go through the model together.
        on_progress: Called with the numbers of images done and of all.

    Returns:
        The output, None where no image was predicted, and what was skipped, by name.
    """
    output: Output | None = None
    skipped: list[SkippedImage] = []
    predicted = 0
    for batch in batches(_prepare(images, pipeline, skipped), batch_size):
        for image, sample in _predict(model, batch, skipped):
            output = output or output_for(sample)
            output.add(image, sample)
            predicted += 1
        on_progress(predicted + len(skipped), len(images))
    on_progress(len(images), len(images))
    return output, sorted(skipped, key=lambda image: image.name)


def batches(
    images: Iterable[PreparedImage], batch_size: int
) -> Iterator[list[PreparedImage]]:
    """Yield lists of images that go through a model together, when they are full.

    Images wait for others of their size while there are not too many in memory.
    """
    waiting: dict[Any, list[PreparedImage]] = {}
    for image in images:
        group = waiting.setdefault(image.batch_key, [])
        group.append(image)
        if len(group) == batch_size:
            yield waiting.pop(image.batch_key)
        elif sum(map(len, waiting.values())) > _WAITING_BATCHES * batch_size:
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()


def _prepare(
    images: Sequence[ImageFile], pipeline: ImagePipeline, skipped: list[SkippedImage]
) -> Iterator[PreparedImage]:
    for image in images:
        try:
            yield pipeline(image)
        except UnreadableImageError as error:
            skipped.append(SkippedImage(image.name, str(error)))


def _predict(
    model: BaseModel, batch: Sequence[PreparedImage], skipped: list[SkippedImage]
) -> list[tuple[PreparedImage, Any]]:
    """Return the images that the model takes, with their samples."""
    try:
        with torch.no_grad():
            samples = model.test_step(pseudo_collate([image.data for image in batch]))
    except ValueError as error:
        if len(batch) > 1:
            singles = [_predict(model, [image], skipped) for image in batch]
            return [pair for single in singles for pair in single]
        reason = f'the model cannot take it: {error_reason(error)}'
        skipped.append(SkippedImage(batch[0].file.name, reason))
        return []
    return list(zip(batch, samples, strict=True))
