"""Load both towers: Meta's PE-Core checkpoints, open_clip's, and those trained here."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from pe_mm.checkpoints import CheckpointError, LoadReport, read_checkpoint
from pe_mm.checkpoints.errors import listing
from pe_mm.checkpoints.layouts import WRAPPERS, find_encoder, unwrap
from pe_mm.checkpoints.loading import LoadPlan, copy_weights, plan_load
from pe_mm.checkpoints.reading import Source
from pe_mm.checkpoints.values import check_dtypes

if TYPE_CHECKING:
    from .image_text_model import ImageTextModel

IMAGE, TEXT = 'image_encoder.', 'text_encoder.'
# Beside what an image tower's names start with: what its text tower's start with. Meta
# has no such prefix, open_clip has one, and then there are our own.
_TEXT_OF_IMAGE = (('visual.', ''), ('visual.trunk.', 'text.'), (IMAGE, TEXT))


def load_image_text_weights(model: 'ImageTextModel', source: Source) -> LoadReport:
    """Load weights into both towers and the logit scale, completely or not at all.

    The image tower's go through the rules of ``load_encoder_weights``. The text tower
    has open_clip's names, which are Meta's; every tensor must be there with its shape,
    and no other.

    Args:
        model: The model; its dtype and device stay.
        source: A path, an ``hf://owner/repo/file`` address, or a state dict: Meta's
            (image tower under ``visual.``), open_clip's (``visual.trunk.`` and
            ``text.``), or one of this model.

    Returns:
        What was loaded, skipped and resampled.

    Raises:
        CheckpointError: The source cannot be read, or does not fit; the message names
            what is missing, unexpected or misshapen in both towers.
    """
    name = 'the state dict' if isinstance(source, Mapping) else os.fspath(source)
    checkpoint = unwrap(read_checkpoint(source))
    image_prefix = find_encoder(checkpoint).prefix
    parent, text_prefix = _text_prefix(name, image_prefix)
    found = {}
    for key, value in checkpoint.items():
        place = WRAPPERS.sub('', str(key))
        if isinstance(value, Tensor) and not place.startswith(image_prefix):
            found[_our_name(place.removeprefix(parent), text_prefix)] = value
    problems = []
    try:
        image = plan_load(model.image_encoder, checkpoint, prefix=image_prefix)
    except CheckpointError as error:
        problems.append(str(error))
    wanted = {
        key: tensor
        for key, tensor in model.state_dict().items()
        if not key.startswith(IMAGE)
    }
    told = list(_differences(found, wanted, text_prefix))
    if told:
        problems.append(
            f'{name} does not fit the text tower; {"; ".join(told)}'
            + _hint(found, wanted)
        )
    if problems:
        raise CheckpointError('. '.join(problems))
    check_dtypes(name, found)
    report = _report(image, found)
    tensors = {IMAGE + key: tensor for key, tensor in image.tensors.items()}
    copy_weights(model, tensors | found, report)
    return report


def _text_prefix(name: str, image_prefix: str) -> tuple[str, str]:
    """Return what both towers' names start with, and then the text tower's."""
    for image, text in reversed(_TEXT_OF_IMAGE):
        if image_prefix.endswith(image):
            return image_prefix.removesuffix(image), text
    towers = ', '.join(repr(image) for image, _ in _TEXT_OF_IMAGE)
    raise CheckpointError(
        f'{name} holds an image encoder under {image_prefix!r} and no text tower: '
        f'beside one, the image tower is under {towers}. To start the image tower '
        "alone, set image_encoder.init_cfg=dict(type='Pretrained', checkpoint=...)"
    )


def _our_name(name: str, text_prefix: str) -> str:
    if name == 'logit_scale':
        return name
    if name.startswith(text_prefix):
        return TEXT + name.removeprefix(text_prefix)
    return name


def _differences(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], text_prefix: str
) -> Iterator[str]:
    """Yield what is wrong with the text tower's tensors, in the checkpoint's names."""

    def shown(key: str) -> str:
        return text_prefix + key.removeprefix(TEXT) if key.startswith(TEXT) else key

    misshapen = [
        f'{shown(key)} is {tuple(found[key].shape)} and must be {tuple(tensor.shape)}'
        for key, tensor in wanted.items()
        if key in found and found[key].shape != tensor.shape
    ]
    problems = {
        'missing': [shown(key) for key in wanted if key not in found],
        'unexpected': [shown(key) for key in found if key not in wanted],
        'misshapen': misshapen,
    }
    for kind, names in problems.items():
        if names:
            yield f'{len(names)} {kind}: {listing(names)}'


def _hint(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """Tell which fields of ``text_encoder`` the weights need, if they are others."""
    fields = _fields(found)
    if fields is None or fields == _fields(wanted):
        return ''
    return f'. The weights have text_encoder=dict({fields})'


def _fields(tensors: Mapping[str, Tensor]) -> str | None:
    positions = tensors.get(f'{TEXT}positional_embedding')
    tokens = tensors.get(f'{TEXT}token_embedding.weight')
    if positions is None or tokens is None or positions.dim() != 2:
        return None
    layers = sum(key.endswith('.attn.in_proj_bias') for key in tensors)
    return (
        f'context_length={positions.shape[0]}, width={positions.shape[1]}, '
        f'layers={layers}, vocab_size={tokens.shape[0]}'
    )


def _report(image: LoadPlan, text: Mapping[str, Tensor]) -> LoadReport:
    report = image.report
    outside = f'outside {report.prefix!r}'
    skipped = {
        key: reason
        for key, reason in report.skipped.items()
        if reason not in ('text tower', outside)
    }
    return replace(report, loaded=report.loaded + len(text), skipped=skipped)
