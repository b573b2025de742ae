"""Demo scenes on disk, in the layouts that mmdet, mmseg and DAVIS tools read.

`make_demo_data` writes::

    DIR/
      demo_data.json                             what the directory holds
      images/{training,validation}/NNNNNN.jpg    square RGB pictures
      annotations/{training,validation}/NNNNNN.png
                                                 ADE layout, 8 bits: 0 other (skirting
                                                 boards), 1.. CLASSES, then STUFF
      annotations/instances_{training,validation}.json   COCO boxes and polygons
      annotations/panoptic_{training,validation}{/NNNNNN.png,.json}
                                                 COCO segments: things and STUFF
      annotations/captions_{training,validation}.json    COCO captions, 5 per picture
      depth/{training,validation}/NNNNNN.png     NYU layout, 16 bits: millimetres along
                                                 the optical axis, never 0
      scenes/{training,validation,clips}/*.json  facts: camera, things, captions
      clips/JPEGImages/480p/<clip>/NNNNN.jpg     DAVIS layout
      clips/Annotations/480p/<clip>/NNNNN.png    indexed: 0 room, k the k-th thing
      clips/ImageSets/2017/{train,val}.txt       names of clips
      clips/captions.json                        sentences per clip
      captions/{,objects_,clips_}{training,validation}.jsonl
                                                 a picture, a thing in one or a clip
                                                 with its captions per line, for
                                                 contrastive training

Every thing in a picture is labelled, and shows at least 0.15 % of the picture and 30 %
of what it would show if nothing hid it; whatever shows less is not put into the scene.
A clip's things are seen so well in its first frame.

Picture i of a split depends on the seed, the size, the split and i alone.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .index_files import has_index_files, write_index_files
from .jobs import Job, is_done, run_job
from .pool import run_all
from .scene import CLASSES, PALETTE, STUFF
from .storage import (
    MANIFEST,
    manifest_content,
    read_manifest,
    remove_leftovers,
    write_bytes,
)

MIN_SIZE, MAX_SIZE = 64, 2048
MAX_COUNT = 1_000_000  # Names have six digits.

__all__ = ['CLASSES', 'PALETTE', 'STUFF', 'make_demo_data']


def make_demo_data(
    root: str | os.PathLike[str],
    *,
    train: int = 2000,
    val: int = 200,
    clips: int = 4,
    size: int = 256,
    seed: int = 0,
    frames: int = 16,
    clutter: float = 1.0,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render demo scenes into a directory; finished ones are kept, never redone.

    The same options give the same bytes, whatever the workers and however often the
    work was interrupted. Asking for more pictures extends a directory.

    Args:
        root: Directory; new, empty, or made by this function.
        train: Number of training pictures.
        val: Number of validation pictures.
        clips: Number of clips; every fourth, from the first, is for validation.
        size: Width and height in pixels, 64 to 2048.
        seed: Seed of everything, at least 0.
        frames: Frames per clip, at least 2.
        clutter: 0 for plain, larger things that face the camera in quiet rooms, 1 for
            patterns everywhere; in between, a mixture.
        workers: Processes that render; one per core if None, and none besides this
            one if 1. With several, a script that calls this needs the usual
            `if __name__ == '__main__':`.
        on_progress: Called with the numbers of finished and of all jobs.

    Returns:
        The directory.

    Raises:
        ValueError: An option is out of range, or the directory was made with others.
        FileExistsError: The directory has files that are not demo data.
        OSError: The directory cannot be written, or the disk is full.
    """
    root = Path(root)
    options: dict[str, Any] = {
        'seed': seed,
        'size': size,
        'frames': frames,
        'clutter': clutter,
    }
    counts = {'training': train, 'validation': val, 'clips': clips}
    _check_options(options, counts, workers)
    manifest = read_manifest(root)
    if manifest is not None:
        _check_same(root, manifest, options, counts)
        remove_leftovers(root)
    jobs = [
        Job(str(root), kind, index, **options)
        for kind, count in counts.items()
        for index in range(count)
    ]
    missing = [job for job in jobs if not is_done(job)]
    done = len(jobs) - len(missing)
    wanted = {'options': options, 'counts': counts, 'complete': True}
    finished = manifest is not None and wanted.items() <= manifest.items()
    if not missing and finished and has_index_files(root, counts):
        if on_progress is not None:
            on_progress(done, len(jobs))
        return root
    write_bytes(root / MANIFEST, manifest_content(options, counts, complete=False))
    if on_progress is not None:
        on_progress(done, len(jobs))
    for number in run_all(run_job, missing, workers=workers):
        if on_progress is not None:
            on_progress(done + number, len(jobs))
    write_index_files(root, counts, size)
    write_bytes(root / MANIFEST, manifest_content(options, counts, complete=True))
    return root


def _check_options(
    options: dict[str, Any], counts: dict[str, int], workers: int | None
) -> None:
    limits = {
        'size': (MIN_SIZE, MAX_SIZE),
        'seed': (0, 2**63 - 1),
        'frames': (2, 10_000),
        'clutter': (0, 1),
        'train': (0, MAX_COUNT),
        'val': (0, MAX_COUNT),
        'clips': (0, 1000),
    }
    given = dict(options, **{_OPTION[kind]: count for kind, count in counts.items()})
    for name, value in given.items():
        low, high = limits[name]
        if not low <= value <= high:
            raise ValueError(f'{name} is {value}; give a number from {low} to {high}')
    if workers is not None and workers < 1:
        raise ValueError(f'workers is {workers}; give at least 1')


_OPTION = {'training': 'train', 'validation': 'val', 'clips': 'clips'}


def _check_same(
    root: Path,
    manifest: dict[str, Any],
    options: dict[str, Any],
    counts: dict[str, int],
) -> None:
    """Refuse to mix data of different options, or to leave some of it unlisted."""
    for name, value in options.items():
        made = manifest['options'][name]
        if made != value:
            raise ValueError(
                f'{root} was made with {name} {made}, not {value}; give another '
                f'directory, or {name} {made} to continue this one'
            )
    for kind, count in counts.items():
        made = manifest['counts'][kind]
        if made > count:
            raise ValueError(
                f'{root} was made with {_OPTION[kind]} {made}, and {count} is less; '
                f'nothing is ever deleted: give at least {made}, or another directory'
            )
