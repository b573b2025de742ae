"""Names, colours and numbers of the classes that a model predicts."""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS
from torch import nn

from .image_pipeline import innermost_dataset

Color = tuple[int, int, int]

# An RPN or a head for semantic hints has classes that are not the model's.
_HEADS = {'bbox_head', 'mask_head', 'decode_head', 'panoptic_head'}
_HEADS |= {'panoptic_fusion_head'}


@dataclass(frozen=True)
class Classes:
    """The classes of a model, by their 0-based labels.

    Args:
        names: One per label.
        colors: RGB, 0 to 255, one per label.
        named: Whether the names are known; otherwise they are the labels.
        num_things: So many labels, the first, are of countable things.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    named: bool
    num_things: int

    def __len__(self) -> int:
        return len(self.names)

    def bgr(self, label: int) -> Color:
        """Return a label's colour as OpenCV takes it."""
        red, green, blue = self.colors[label]
        return blue, green, red


def read_classes(model: nn.Module, cfg: Config, meta: Mapping[str, Any]) -> Classes:
    """Find out what a model's classes are called.

    The checkpoint tells first, which knows what the model was trained on, then the
    config's data set, then the type of that data set. Names that are more or fewer than
    the model's classes are not the model's.

    Args:
        model: The model; its heads have ``num_classes``.
        cfg: The model's config.
        meta: The 'meta' of its checkpoint.
    """
    number = _count_classes(model)
    sources = _sources(cfg, meta)
    known = [
        tuple(str(name) for name in source['classes'])
        for source in sources
        if isinstance(source.get('classes'), (list, tuple))
        and len(source['classes']) == (number or len(source['classes']))
    ]
    count = len(known[0]) if known else number
    return Classes(
        names=known[0] if known else tuple(str(label) for label in range(count)),
        colors=_colors(sources, count),
        named=bool(known),
        num_things=getattr(model, 'num_things_classes', count),
    )


def _count_classes(model: nn.Module) -> int:
    """Return the number of a model's classes, 0 if it does not tell."""
    numbers = [
        getattr(module, 'num_classes', None)
        for name, module in model.named_modules()
        # Cascades number their heads.
        if name.rstrip('.0123456789').rpartition('.')[2] in _HEADS
    ]
    return max((n for n in numbers if isinstance(n, int)), default=0)


def _sources(cfg: Config, meta: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    trained = meta.get('dataset_meta') or {}
    dataset = innermost_dataset(cfg)
    kind = dataset.get('type')
    if isinstance(kind, str):
        with DATASETS.switch_scope_and_registry(None) as registry:
            kind = registry.get(kind)
    return [
        # Checkpoints of mmdet 2 and mmseg 0 have capitals, outside of dataset_meta.
        {key.lower(): value for key, value in {**meta, **trained}.items()},
        dataset.get('metainfo') or {},
        getattr(kind, 'METAINFO', {}),
    ]


def _colors(sources: list[Mapping[str, Any]], count: int) -> tuple[Color, ...]:
    palettes = [source.get('palette') for source in sources]
    for palette in palettes:
        # Data sets of other classes than COCO's still have COCO's colours.
        if isinstance(palette, (list, tuple)) and len(palette) == count:
            return tuple((int(r), int(g), int(b)) for r, g, b in palette)
    return tuple(_make_color(label) for label in range(count))


def _make_color(label: int) -> Color:
    """Return a bright colour unlike those of the labels before it."""
    # Steps of the golden ratio never come close to an earlier hue soon.
    hue = label * (5**0.5 - 1) / 2 % 1
    saturation, value = (0.8, 1.0) if label % 2 else (0.6, 0.85)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
