"""Images and categories as COCO's JSON files have them."""

from typing import Any

from mmdet.datasets import CocoDataset, CocoPanopticDataset

from .classes import Classes
from .image_pipeline import PreparedImage

# COCO's numbering has gaps, which no config or checkpoint tells.
_THING_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
_COCO_THINGS = [number for number in range(1, 91) if number not in _THING_GAPS]
# fmt: off
_COCO_STUFF = [
    92, 93, 95, 100, 107, 109, 112, 118, 119, 122, 125, 128, 130, 133, 138, 141, 144,
    145, 147, 148, 149, 151, 154, 155, 156, 159, 161, 166, 168, 171, 175, 176, 177, 178,
    180, 181, *range(184, 201),
]
# fmt: on


def category_ids(names: tuple[str, ...]) -> list[int]:
    """Number categories: COCO's own numbers for COCO's classes, else from 1.

    LVIS, Objects365 and most others number from 1 in the order of their classes.
    """
    if names == tuple(CocoDataset.METAINFO['classes']):
        return list(_COCO_THINGS)
    if names == tuple(CocoPanopticDataset.METAINFO['classes']):
        return _COCO_THINGS + _COCO_STUFF
    return list(range(1, len(names) + 1))


def categories_json(classes: Classes) -> list[dict[str, Any]]:
    """Return the categories, with 'isthing' and 'color' as panoptic ones have."""
    return [
        {
            'id': number,
            'name': name,
            'isthing': int(label < classes.num_things),
            'color': list(color),
        }
        for label, (number, name, color) in enumerate(
            zip(category_ids(classes.names), classes.names, classes.colors, strict=True)
        )
    ]


def image_json(image: PreparedImage, picture: str) -> dict[str, Any]:
    """Return an image's record.

    Args:
        image: The image.
        picture: Path of its picture with predictions in the output folder.
    """
    height, width = image.picture.shape[:2]
    return {
        'id': image.file.image_id,
        'file_name': image.file.name,
        'width': width,
        'height': height,
        'picture': picture,
    }
