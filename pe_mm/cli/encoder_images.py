"""What the commands that look into an encoder have in common."""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pe_mm.prediction.images import SUFFIXES

from .encoder_arguments import add_device, add_encoder

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from pe_mm.analysis.images import Picture
    from pe_mm.engine.encoder_loading import LoadedEncoder


def add_arguments(parser: argparse.ArgumentParser, *, timm: bool = True) -> None:
    """Declare the encoder, which may be one of timm's, the images and the results."""
    add_encoder(parser, timm=timm)
    parser.set_defaults(timm=timm)
    parser.add_argument(
        'images',
        type=Path,
        nargs='+',
        metavar='IMAGE_OR_DIR',
        help=f'images, or directories that are searched for {", ".join(SUFFIXES)}',
    )
    parser.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='folder of the results'
    )
    parser.add_argument(
        '--size',
        type=int,
        metavar='PIXELS',
        help='resize the longer side of the images to this; sides become whole patches '
        '(default: as they are, but at most 1024)',
    )
    parser.add_argument(
        '--arrays', action='store_true', help='write all numbers as .npz too'
    )
    add_device(parser)


def load(
    args: argparse.Namespace, layers: str
) -> tuple['LoadedEncoder', list['Picture']]:
    """Return the encoder, which gives the chosen layers, and the images.

    Args:
        args: What ``add_arguments`` declares.
        layers: Which the encoder gives.

    Raises:
        OSError: An image or the folder of the results is missing or cannot be used.
        ValueError: The encoder, the layers, the device or an image is not right.
    """
    import matplotlib  # noqa: F401  (an extra: said before the work if it is missing)

    from pe_mm.analysis.images import read_pictures
    from pe_mm.checkpoints.writing import make_out_folder
    from pe_mm.engine.encoder_loading import TIMM, load_encoder
    from pe_mm.layers import parse_layers
    from pe_mm.prediction.images import find_images
    from pe_mm.prediction.loading import find_device

    if not args.timm and args.encoder.startswith(TIMM):
        raise ValueError(
            f'attention is read from Perception Encoders only, got {args.encoder}; '
            '`pe-mm pca` and `pe-mm match` take models of timm'
        )
    paths = [f.path for source in args.images for f in find_images(source, args.out)]
    loaded = load_encoder(
        args.encoder,
        args.weights,
        layers=parse_layers(layers),
        device=find_device(args.device),
    )
    pictures = read_pictures(paths, args.size, loaded.encoder.patch_size)
    is_new = not args.out.exists()
    make_out_folder(args.out)
    if is_new:
        # What is found wrong only with the encoder's help leaves no empty folder.
        args.out.rmdir()
    return loaded, pictures


def to_tensor(loaded: 'LoadedEncoder', picture: 'Picture') -> 'Tensor':
    """Return (1, 3, H, W), the encoder's input."""
    import torch

    return loaded.normalize(torch.from_numpy(picture.pixels.transpose(2, 0, 1))[None])


class Results:
    """Writes figures and arrays into the folder of the results, and says so.

    Args:
        args: The arguments that ``add_arguments`` declares.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._folder: Path = args.out
        self._with_arrays: bool = args.arrays
        # Directories are searched without the folder of the results.
        self._images = {path.resolve() for path in args.images}

    def write_figure(self, name: str, figure: 'Figure') -> None:
        """Write a figure as NAME.png.

        Raises:
            OSError: It cannot be written.
            ValueError: One of the images is there.
        """
        from pe_mm.analysis.figures import save_figure

        path = self._folder / f'{name}.png'
        if path.resolve() in self._images:
            raise ValueError(
                f'{path} is an image to look at, which would be overwritten; give '
                'another --out'
            )
        save_figure(figure, path)
        print(f'wrote {path}')

    def write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Write arrays as NAME.npz, if that is asked for.

        Raises:
            OSError: They cannot be written.
        """
        from pe_mm.analysis.figures import save_arrays

        if self._with_arrays:
            path = self._folder / f'{name}.npz'
            save_arrays(path, arrays)
            print(f'wrote {path}')


def fields_by_image(
    pictures: 'Sequence[Picture]', values: Sequence[Any]
) -> dict[str, Any]:
    """Name the fields of dataclasses, one for each image, NAME.FIELD."""
    return {
        f'{picture.name}.{field.name}': getattr(value, field.name)
        for picture, value in zip(pictures, values, strict=True)
        for field in dataclasses.fields(value)
    }
