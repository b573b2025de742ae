"""Finding the images to predict and naming what is written for them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (
    '.bmp',
    '.jpeg',
    '.jpg',
    '.pgm',
    '.png',
    '.ppm',
    '.tif',
    '.tiff',
    '.webp',
)

# More digits are no number that every reader of JSON keeps.
_MAX_DIGITS = 15


@dataclass(frozen=True)
class ImageFile:
    """One image to predict.

    Args:
        path: Where it is.
        name: Its path relative to the directory that was searched, with slashes.
        output_name: ``name`` as outputs have it, before their own suffix.
        image_id: Its number in JSON files.
    """

    path: Path
    name: str
    output_name: str
    image_id: int


def find_images(source: Path, out: Path) -> list[ImageFile]:
    """List an image, or the images of a directory and all its folders, by name.

    Hidden files and folders are left out, and so is ``out``: an earlier run's pictures
    are no input of the next. Links to folders are followed, the same folder only once.

    Args:
        source: An image of any name, or a directory.
        out: The folder that predictions go to.

    Raises:
        FileNotFoundError: ``source`` does not exist or has no images.
        ValueError: ``out`` is the directory of images itself.
        OSError: A folder cannot be read.
    """
    if source.is_file():
        return _name_outputs([source], source.parent)
    if not source.is_dir():
        raise FileNotFoundError(
            f'{source} does not exist; give an image or a directory of images'
        )
    if source.resolve() == out.resolve():
        raise ValueError(
            f'--out {out} is the directory of the images; give a folder of its own, '
            f'such as {out / "predictions"}'
        )
    paths = _walk(source, out.resolve())
    if not paths:
        raise FileNotFoundError(
            f'no images in {source} and its folders; looked for {", ".join(SUFFIXES)}'
        )
    return _name_outputs(paths, source)


def count_images(number: int) -> str:
    """Return '1 image', '2 images' and so on."""
    return f'{number} image{"" if number == 1 else "s"}'


def _walk(source: Path, out: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise error

    paths = []
    seen = {out}
    # Links come last, so that they rename nothing that is found without them.
    roots = [source]
    for root in roots:
        for folder, folders, files in os.walk(root, onerror=fail):
            here = Path(folder)
            if here.resolve() in seen:
                folders.clear()
                continue
            seen.add(here.resolve())
            folders[:] = sorted(name for name in folders if not name.startswith('.'))
            roots += [here / name for name in folders if (here / name).is_symlink()]
            paths += [here / name for name in files if _is_image(here / name)]
    return paths


def _is_image(path: Path) -> bool:
    if path.name.startswith('.') or path.suffix.lower() not in SUFFIXES:
        return False
    # A pipe would be waited for; a broken link is reported when it is read.
    return path.is_file() or not path.exists()


def _name_outputs(paths: Sequence[Path], root: Path) -> list[ImageFile]:
    names = sorted(path.relative_to(root).as_posix() for path in paths)
    stems = [Path(name).with_suffix('').as_posix() for name in names]
    # Beside a.jpg there may be a.png, and A.jpg where letter case does not count.
    unique = len({stem.casefold() for stem in stems}) == len(names)
    return [
        ImageFile(root / name, name, stem if unique else name, image_id)
        for name, stem, image_id in zip(names, stems, _image_ids(stems), strict=True)
    ]


def _image_ids(stems: Sequence[str]) -> list[int]:
    """Number images by their file names where all are numbers, as COCO's are."""
    words = [stem.rpartition('/')[2] for stem in stems]
    if all(w.isascii() and w.isdigit() and len(w) <= _MAX_DIGITS for w in words):
        numbers = [int(word) for word in words]
        if len(set(numbers)) == len(numbers):
            return numbers
    return list(range(1, len(stems) + 1))
