"""Files that list a whole split: COCO annotations, DAVIS sets, captions in lines."""

import json
from pathlib import Path
from typing import Any

from .annotations import CATEGORIES
from .captions import object_captions
from .panoptic import PANOPTIC_CATEGORIES, read_segment_ids, segment_records
from .squares import square_around
from .storage import (
    SPLITS,
    clip_name,
    clip_paths,
    encode_json,
    image_paths,
    write_bytes,
)

# Around a thing that is shown alone, in lengths of its longer side.
MARGIN = 0.15


def write_index_files(root: Path, counts: dict[str, int], size: int) -> None:
    """Gather the facts of finished pictures and clips into the files that list them.

    Args:
        root: Directory of the demo data.
        counts: Numbers of 'training' and 'validation' pictures and of 'clips'.
        size: Width and height of the pictures in pixels.
    """
    for split in SPLITS:
        _write_split(root, split, counts[split], size)
    if not counts['clips']:
        return
    captions: dict[str, list[str]] = {}
    sets = {'train': '', 'val': ''}
    lines = {'training': b'', 'validation': b''}
    for index in range(counts['clips']):
        name = clip_name(index)
        facts = json.loads(clip_paths(root, index, 0)['scene'][0].read_text())
        captions[name] = facts['captions']
        frames = clip_paths(root, index, 1)['images'][0].parent
        kept = index % 4 == 0
        lines[SPLITS[kept]] += _caption_line(root, 'frames', frames, facts)
        sets['val' if kept else 'train'] += f'{name}\n'
    for name, text in sets.items():
        path = root / 'clips' / 'ImageSets' / '2017' / f'{name}.txt'
        write_bytes(path, text.encode())
    write_bytes(root / 'clips' / 'captions.json', encode_json(captions))
    for split, content in lines.items():
        write_bytes(_caption_lines_path(root, f'clips_{split}'), content)


def has_index_files(root: Path, counts: dict[str, int]) -> bool:
    """Whether the lists are there that directories of earlier versions lack."""
    kinds = [*SPLITS, *(f'objects_{split}' for split in SPLITS)]
    kinds += [f'clips_{split}' for split in SPLITS if counts['clips']]
    return all(_caption_lines_path(root, kind).exists() for kind in kinds)


def _caption_lines_path(root: Path, kind: str) -> Path:
    return root / 'captions' / f'{kind}.jsonl'


def _caption_line(root: Path, key: str, path: Path, facts: dict[str, Any]) -> bytes:
    """List one picture or clip with its captions; its path is relative to the root."""
    name = path.relative_to(root).as_posix()
    return encode_json({key: name, 'captions': facts['captions']})


def _object_lines(root: Path, path: Path, facts: dict[str, Any], size: int) -> bytes:
    """List the things of a picture, each with the square around it and its captions."""
    name = path.relative_to(root).as_posix()
    lines = b''
    for record, thing in zip(facts['instances'], facts['objects'], strict=True):
        texts = object_captions(
            thing['category'], thing['pattern'], thing['description']
        )
        x, y, width, height = record['bbox']
        left, top, right, bottom = square_around(
            (x, y, x + width, y + height), margin=MARGIN, size=(size, size)
        )
        box = [left, top, right - left, bottom - top]
        lines += encode_json({'image': name, 'box': box, 'captions': texts})
    return lines


def _write_split(root: Path, split: str, count: int, size: int) -> None:
    images: list[dict[str, Any]] = []
    instances: list[dict[str, Any]] = []
    panoptic: list[dict[str, Any]] = []
    captions: list[dict[str, Any]] = []
    lines = objects = b''
    for index in range(count):
        paths = image_paths(root, split, index)
        image_id = index + 1
        images.append(
            {
                'id': image_id,
                'file_name': paths['image'].name,
                'width': size,
                'height': size,
            }
        )
        facts = json.loads(paths['scene'].read_text())
        for record in facts['instances']:
            ids = {'id': len(instances) + 1, 'image_id': image_id}
            instances.append(ids | record)
        panoptic.append(
            {
                'image_id': image_id,
                'file_name': paths['panoptic'].name,
                'segments_info': segment_records(read_segment_ids(paths['panoptic'])),
            }
        )
        lines += _caption_line(root, 'image', paths['image'], facts)
        objects += _object_lines(root, paths['image'], facts, size)
        for text in facts['captions']:
            captions.append(
                {'id': len(captions) + 1, 'image_id': image_id, 'caption': text}
            )
    about = {'info': {'description': f'pe_mm demo scenes, {split}'}, 'licenses': []}
    contents = {
        'instances': {'annotations': instances, 'categories': CATEGORIES},
        'panoptic': {'annotations': panoptic, 'categories': PANOPTIC_CATEGORIES},
        'captions': {'annotations': captions},
    }
    for kind, content in contents.items():
        path = root / 'annotations' / f'{kind}_{split}.json'
        write_bytes(path, encode_json(about | {'images': images} | content))
    write_bytes(_caption_lines_path(root, split), lines)
    write_bytes(_caption_lines_path(root, f'objects_{split}'), objects)
