"""The test pipeline of a config, for images that nobody has annotated."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from numpy.typing import NDArray

from .drawing import Picture
from .images import ImageFile

_LOADER = 'LoadImageFromFile'


class UnreadableImageError(Exception):
    """An image cannot be read or prepared; the text is the reason."""


@dataclass(frozen=True)
class PreparedImage:
    """An image as the model takes it.

    Args:
        file: Where it comes from.
        picture: (H, W, 3) BGR, 0 to 255, for drawing.
        data: What the pipeline returns: 'inputs' (C, h, w) and 'data_samples'.
    """

    file: ImageFile
    picture: Picture
    data: dict[str, Any]

    @property
    def batch_key(self) -> tuple[Any, ...]:
        """What images of one batch must have in common.

        Padding to the largest of a batch would change what a model sees, and mmseg
        does not take images of several sizes at once.
        """
        sample = self.data['data_samples']
        return tuple(self.data['inputs'].shape), tuple(sample.ori_shape[:2])


class ImagePipeline:
    """Load an image and prepare it as the config's test pipeline does.

    Steps that load annotations are left out. The data set itself is never opened.

    Args:
        cfg: The config.

    Raises:
        ValueError: The config has no test pipeline, or one that does not load images
            from files.
    """

    def __init__(self, cfg: Config) -> None:
        steps = [step for step in _test_steps(cfg) if not _loads_annotations(step)]
        names = [_type_name(step) for step in steps]
        if _LOADER not in names:
            raise ValueError(
                f'the test pipeline of {cfg.filename} has no {_LOADER}, so images '
                f'cannot be given to it; its steps are {", ".join(names)}'
            )
        first = names.index(_LOADER)
        # The images to predict are on this machine, wherever the data set is.
        local = {k: v for k, v in steps[first].items() if k != 'backend_args'}
        self._load = Compose([*steps[:first], local])
        self._prepare = Compose(steps[first + 1 :])

    def __call__(self, file: ImageFile) -> PreparedImage:
        """Load and prepare an image.

        Raises:
            UnreadableImageError: It cannot be read, is no image, or is none that the
                pipeline takes.
        """
        start = {'img_path': str(file.path), 'img_id': file.image_id, 'seg_fields': []}
        try:
            loaded = self._load(start)
        except (MemoryError, ImportError):  # Not the image's fault.
            raise
        except OSError as error:
            raise UnreadableImageError(error.strerror or str(error)) from error
        except Exception as error:  # Decoders agree on no type.
            reason = 'damaged, or no image of a known kind'
            raise UnreadableImageError(reason) from error
        picture = to_picture(loaded['img'])
        try:
            data = self._prepare(loaded)
        except (MemoryError, ImportError):
            raise
        except Exception as error:  # So do the libraries that resize.
            reason = f'cannot be prepared: {error_reason(error)}'
            raise UnreadableImageError(reason) from error
        return PreparedImage(file, picture, data)


def error_reason(error: Exception) -> str:
    """Return what an error says in one line, or its type if it says nothing."""
    return ' '.join(str(error).split()) or type(error).__name__


def to_picture(image: NDArray[Any]) -> Picture:
    """Return an image of any kind that mmcv loads as a copy of (H, W, 3) BGR, 8 bit."""
    if image.dtype == np.uint16:
        image = image // 257
    picture = np.clip(image, 0, 255).astype(np.uint8)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.shape[2] in (1, 2):
        return cv2.cvtColor(picture[..., :1].copy(), cv2.COLOR_GRAY2BGR)
    return picture[..., :3].copy()


def innermost_dataset(cfg: Config) -> dict[str, Any]:
    """Return the config of the tested data set itself, without what wraps it."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset:
        inner = dataset.get('dataset') or dataset.get('datasets')
        if not inner:
            break
        dataset = inner[0] if isinstance(inner, (list, tuple)) else inner
    return dataset


def _test_steps(cfg: Config) -> list[dict[str, Any]]:
    steps = innermost_dataset(cfg).get('pipeline')
    if not steps:
        raise ValueError(
            f'{cfg.filename} has no test_dataloader.dataset.pipeline, which says how '
            'images are prepared for the model'
        )
    return [dict(step) for step in steps]


def _loads_annotations(step: dict[str, Any]) -> bool:
    name = _type_name(step)
    return name.startswith('Load') and 'Annotation' in name


def _type_name(step: dict[str, Any]) -> str:
    kind = step['type']
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__
