"""Images of the recipes' data sets, as their configs describe them, in one square."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from torch import Tensor

from pe_mm.engine import check_data, load_config
from pe_mm.engine.launching import unknown_names_are_user_errors

from .data_facts import dates, digest, sizes
from .probe_task import Sample
from .quiet import quiet

_PACKERS: dict[str, dict[str, Any]] = {
    'mmseg': {'type': 'mmseg.PackSegInputs'},
    'mmdet': {
        'type': 'mmdet.PackDetInputs',
        'meta_keys': ('img_id', 'img_path', 'ori_shape', 'img_shape'),
    },
}
_PATHS = ('img_path', 'seg_map_path', 'depth_map_path')


class ConfigImages:
    """A split of a data set of mmdet or mmseg, without augmentation.

    Of the config's pipeline only what loads stays, and crops that are always the same;
    the image is then resized to a square with antialiasing, whatever its shape was.

    Args:
        cfg: The config's dataloader.
        scope: 'mmseg' or 'mmdet'.
        side: Of the square, in pixels; None to leave images as they are.
        limit: How many images to take, evenly spaced over all; None for all.
    """

    def __init__(
        self, cfg: Mapping[str, Any], *, scope: str, side: int | None, limit: int | None
    ) -> None:
        settings = _plain(cfg['dataset'], _PACKERS[scope])
        self.side = side
        self._parts = _parts(settings)
        in_scope = DefaultScope.overwrite_default_scope(scope)
        with in_scope, unknown_names_are_user_errors(), quiet():
            self.dataset = DATASETS.build(settings)
        self.metainfo: dict[str, Any] = self.dataset.metainfo
        self._numbers = spread(len(self.dataset), limit)
        self._scope = scope

    def __len__(self) -> int:
        """Count the images."""
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        """Load one image and what is known about it."""
        with DefaultScope.overwrite_default_scope(self._scope):
            item = self.dataset[self._numbers[index]]
        image = item['inputs'].flip(0)
        if self.side is not None:
            image = to_square(image, self.side)
        return Sample(index, image, item['data_samples'])

    def identity(self) -> str:
        """Return a hash of the files' names and sizes, and of how they are read."""
        settings = [
            repr(sorted((k, v) for k, v in part.items() if k != 'data_root'))
            for part in self._parts
        ]
        return digest([*settings, sizes(self._files, _root(self._parts[0]))])

    def fingerprint(self) -> str:
        """Return a hash of the identity, the files' dates, and the square's side."""
        return digest([self.identity(), dates(self._files), self.side])

    @cached_property
    def _files(self) -> list[str]:
        """All files that are read."""
        found = [
            os.path.join(_root(part), part['ann_file'])
            for part in self._parts
            if part.get('ann_file')
        ]
        for number in self._numbers:
            info = self.dataset.get_data_info(number)
            found += [info[key] for key in _PATHS if info.get(key)]
        return found


def load_data_config(
    path: str | Path, *, data_root: str | Path | None, options: list[str]
) -> Config:
    """Read a config of data, and make sure that the data is there.

    Args:
        path: One of ``configs/_base_/datasets`` or of the same form.
        data_root: Where the data is; None for where the config says.
        options: ``key=value`` words that change the config.

    Raises:
        FileNotFoundError: There is no such config or data.
        ValueError: It is no config, or has no data for training and validation.
    """
    cfg = load_config(path, options=options, launcher='none')
    parts = ('train_dataloader', 'val_dataloader', 'val_evaluator')
    lacking = [part for part in parts if part not in cfg]
    if lacking:
        raise ValueError(
            f'config {path} has no {", ".join(lacking)}; give one of the form of '
            'configs/_base_/datasets'
        )
    if data_root is not None:
        for part in parts[:2]:
            cfg[part].dataset.data_root = str(data_root)
        if 'ann_file' in cfg.val_evaluator:
            name = cfg.val_dataloader.dataset.ann_file
            cfg.val_evaluator.ann_file = str(Path(data_root, name))
    check_data(cfg, 'train', 'val')
    return cfg


def check_evaluator(cfg: Config, config: str, task: str, *names: str) -> None:
    """Make sure that a config is of the data of a task, by its evaluator.

    Args:
        cfg: The config.
        config: What messages call it.
        task: What it should be for.
        names: The evaluators that would be right.

    Raises:
        ValueError: It has another one.
    """
    evaluator = cfg.val_evaluator
    given = evaluator.get('type') if isinstance(evaluator, Mapping) else 'several'
    if str(given).split('.')[-1] not in names:
        raise ValueError(
            f'config {config} is no data for {task}: its val_evaluator must be '
            f'{" or ".join(names)}, got {given}'
        )


def load_splits(
    cfg: Config, scope: str, side: int | None, limits: tuple[int | None, int | None]
) -> tuple[ConfigImages, ConfigImages]:
    """Return the images of a config to learn from, and those to measure on."""
    train, val = (
        ConfigImages(loader, scope=scope, side=side, limit=limit)
        for loader, limit in zip(
            (cfg.train_dataloader, cfg.val_dataloader), limits, strict=True
        )
    )
    return train, val


def to_square(image: Tensor, side: int) -> Tensor:
    """Resize to (3, side, side), antialiased.

    Args:
        image: (3, H, W), 0-255.
        side: In pixels.
    """
    if image.shape[-2:] == (side, side):
        return image
    resized = F.interpolate(
        image[None].float(), (side, side), mode='bilinear', antialias=True
    )
    return resized[0].round().clamp(0, 255).to(torch.uint8)


def spread(count: int, limit: int | None) -> list[int]:
    """Return the numbers of at most ``limit`` of ``count`` things, evenly spaced."""
    wanted = count if limit is None else min(limit, count)
    return [number * count // wanted for number in range(wanted)]


def _plain(settings: Mapping[str, Any], packer: Mapping[str, Any]) -> dict[str, Any]:
    """Unwrap a data set that others repeat or mix, and keep what loads of it."""
    settings = dict(settings)
    while 'dataset' in settings:
        settings = dict(settings['dataset'])
    if 'datasets' in settings:
        parts = [_plain(part, packer) for part in settings['datasets']]
        return settings | {'datasets': parts}
    return settings | {'pipeline': _loading(settings['pipeline'], packer)}


def _parts(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """List the data sets of one that joins several."""
    if 'datasets' not in settings:
        return [settings]
    return [part for joined in settings['datasets'] for part in _parts(joined)]


def _root(settings: Mapping[str, Any]) -> str:
    return str(settings.get('data_root') or '.')


def _loading(pipeline: list[Any], packer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Keep of a pipeline what loads, without masks of instances, and fixed crops."""
    kept = []
    for transform in pipeline:
        name = str(transform['type']).split('.')[-1]
        if name.startswith('Load') or name == 'FixedCrop':
            kept.append({k: v for k, v in transform.items() if 'mask' not in k})
    return [*kept, dict(packer)]
