"""Files of a demo data directory: where they are, and writes that cannot half fail.

What reads and writes pictures here serves other folders too.
"""

import errno
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .scene import CLASSES, PALETTE, STUFF

MANIFEST = 'demo_data.json'
FORMAT = 'pe_mm demo data'
VERSION = 1  # Raised whenever the same seed gives other bytes.

SPLITS = ('training', 'validation')
JPEG_QUALITY = 95


def image_paths(root: Path, split: str, index: int) -> dict[str, Path]:
    """Name the files of one picture; 'scene' is written last, so it marks the rest."""
    name = f'{index:06d}'
    return {
        'image': root / 'images' / split / f'{name}.jpg',
        'semantics': root / 'annotations' / split / f'{name}.png',
        'panoptic': root / 'annotations' / f'panoptic_{split}' / f'{name}.png',
        'depth': root / 'depth' / split / f'{name}.png',
        'scene': root / 'scenes' / split / f'{name}.json',
    }


def clip_name(index: int) -> str:
    """Name a clip."""
    return f'clip-{index:03d}'


def clip_paths(root: Path, index: int, frames: int) -> dict[str, list[Path]]:
    """Name the files of one clip, a frame each; 'scene' is written last."""
    name = clip_name(index)
    images, masks = (
        root / 'clips' / kind / '480p' / name for kind in ('JPEGImages', 'Annotations')
    )
    return {
        'images': [images / f'{frame:05d}.jpg' for frame in range(frames)],
        'masks': [masks / f'{frame:05d}.png' for frame in range(frames)],
        'scene': [root / 'scenes' / 'clips' / f'{name}.json'],
    }


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: The disk is full or the directory cannot be written; says what to do.
    """
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):  # The first error tells more.
            temporary.unlink(missing_ok=True)
        raise _explained(error, path) from error


def _explained(error: OSError, path: Path) -> OSError:
    """Say in the error what failed and what helps."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = (
            f'the disk is full: cannot write {path}; free some space and run the same '
            'command again, it keeps the finished images'
        )
    else:
        text = f'cannot write {path}: {error.strerror}; choose a directory you own'
    return OSError(error.errno, text)


def remove_leftovers(root: Path) -> None:
    """Delete the temporary files of a run that was killed."""
    for path in root.rglob('.*.tmp'):
        process = path.name.rsplit('.', 2)[-2]
        if process.isdigit() and not is_running(int(process)):
            path.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Tell whether a process number belongs to a process that has not ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A killed process that nobody has waited for still has its number.
    try:
        state = Path(f'/proc/{process}/stat').read_text().rpartition(') ')[2]
    except OSError:
        return True
    return not state.startswith('Z')


def encode_json(content: Any) -> bytes:
    """Encode JSON, always the same bytes for the same content."""
    return (json.dumps(content, separators=(',', ':')) + '\n').encode()


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) RGB.

    Raises:
        ValueError: It is damaged or no picture.
        OSError: The file cannot be read.
    """
    # Unlike imread, this tells a file that cannot be read from one that is no picture.
    content = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise ValueError(f'{path} cannot be read: it is damaged or no picture')
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """Encode an RGB picture."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode('.jpg', image[..., ::-1], quality)[1].tobytes()


def encode_png(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode a grey picture of 8 or 16 bits, or a BGR one of 8."""
    return cv2.imencode('.png', image)[1].tobytes()


def write_indexed_png(
    path: Path, ids: NDArray[np.uint8], palette: Sequence[int] = ()
) -> None:
    """Write ids as an indexed PNG.

    Args:
        path: The file, which is written whole or not at all.
        ids: (H, W).
        palette: Red, green and blue of each id, one after the other; the colours that
            DAVIS uses where there are none.
    """
    picture = Image.fromarray(ids)
    picture.putpalette(list(palette) or davis_palette().ravel().tolist())
    buffer = BytesIO()
    picture.save(buffer, format='PNG')
    write_bytes(path, buffer.getvalue())


def davis_palette() -> NDArray[np.uint8]:
    """Make the (256, 3) RGB palette of PASCAL VOC and DAVIS.

    The bits of an id, three at a time, are the high bits of red, green and blue.
    """
    ids = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            value = (ids >> (3 * bit + channel)) & 1
            palette[:, channel] |= (value << (7 - bit)).astype(np.uint8)
    return palette


def manifest_content(
    options: dict[str, Any], counts: dict[str, int], *, complete: bool
) -> bytes:
    """Describe a directory of demo data, for people and for the next run."""
    content = {
        'format': FORMAT,
        'version': VERSION,
        'complete': complete,
        'options': options,
        'counts': counts,
        'classes': CLASSES,
        'stuff': STUFF,
        'palette': PALETTE,
        'depth_metres_per_unit': 0.001,
    }
    return (json.dumps(content, indent=2) + '\n').encode()


def read_manifest(root: Path) -> dict[str, Any] | None:
    """Read a directory's manifest; none if the directory is empty or not there.

    Raises:
        FileExistsError: There are files, but not ours; nothing is touched.
        NotADirectoryError: `root` is a file.
        ValueError: The manifest was made by another version.
    """
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(
            errno.ENOTDIR, f'{root} is a file; give a directory for the demo data'
        )
    path = root / MANIFEST
    if not path.exists():
        if root.exists() and any(p.suffix != '.tmp' for p in root.iterdir()):
            raise FileExistsError(
                errno.EEXIST,
                f'{root} has files that are not demo data (it has no {MANIFEST}); '
                'nothing was written; give an empty or a new directory',
            )
        return None
    try:
        content = json.loads(path.read_text())
        known = content['format'] == FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise FileExistsError(
            errno.EEXIST,
            f'{path} is not a manifest of demo data; nothing was written; give an '
            'empty or a new directory',
        )
    if content['version'] != VERSION:
        raise ValueError(
            f'{root} holds demo data of version {content["version"]}, this is version '
            f'{VERSION}; delete it or give another directory'
        )
    return content
