"""A check that images and the label maps that belong to them are all there."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

# What mmseg's data sets call the label map of an image.
LABEL_KEYS = ('seg_map_path', 'depth_map_path')

_SHOWN = 3


class PairedFilesHook(Hook):
    """Stop a run on dense labels whose images and label maps do not pair up.

    mmseg lists the images of a folder and derives the names of their label maps; one
    that is missing would end the training when its image is first drawn.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the files for training, and for validation where there is any.

        Raises:
            FileNotFoundError: Naming the first missing files and how many there are.
        """
        loops = [runner.train_loop, runner.val_loop]
        check_pairs([loop.dataloader.dataset for loop in loops if loop is not None])

    def before_test(self, runner: Runner) -> None:
        """Check the files of the test.

        Raises:
            FileNotFoundError: Naming the first missing files and how many there are.
        """
        check_pairs([runner.test_loop.dataloader.dataset])


def check_pairs(datasets: Iterable[Any]) -> None:
    """Make sure that the files exist which data sets with label maps list.

    Label maps that no image of a listed folder has are only warned of: the training
    does not need them. Data sets without label maps, and remote ones, are passed over.

    Args:
        datasets: Data sets, or mmengine's and mmseg's wrappers around some.

    Raises:
        FileNotFoundError: Naming the first missing files and how many there are.
    """
    for dataset in datasets:
        for part in unwrapped(dataset):
            if not isinstance(part, BaseDataset):
                continue
            part.full_init()
            if len(part) and _has_local_labels(part):
                _check_part(part)


def _check_part(dataset: BaseDataset) -> None:
    images: list[str] = []
    labels: list[str] = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        maps = [info[key] for key in LABEL_KEYS if info.get(key)]
        images += [info['img_path']] * len(maps)
        labels += maps
    missing = [
        f'{label} (the label map of {image})'
        for image, label in zip(images, labels, strict=True)
        if not Path(label).is_file()
    ]
    missing += [image for image in dict.fromkeys(images) if not Path(image).is_file()]
    if missing:
        raise FileNotFoundError(
            f'{_first(missing)} {"does" if len(missing) == 1 else "do"} not exist, but '
            f'{type(dataset).__name__} lists {len(labels)} pairs of image and label '
            'map. Complete the data, list only complete pairs in an ann_file, or mend '
            'data_prefix and the suffixes of the names'
        )
    # Of a folder that is read whole.
    if not dataset.ann_file and getattr(dataset, '_indices', None) is None:
        _warn_of_unused(dataset, labels)


def _warn_of_unused(dataset: BaseDataset, labels: Sequence[str]) -> None:
    used = {Path(label) for label in labels}
    # mmseg's data sets call the suffix of depth maps so too.
    suffix = getattr(dataset, 'seg_map_suffix', None)
    folders = [dataset.data_prefix.get(key) for key in LABEL_KEYS]
    there = {
        path
        for folder in folders
        if folder and suffix
        for path in Path(folder).rglob(f'*{suffix}')
    }
    if there - used:
        print_log(
            f'{_first(sorted(map(str, there - used)))}: label maps that belong to no '
            f'image of {type(dataset).__name__}; are images missing?',
            logger='current',
            level=logging.WARNING,
        )


def _first(paths: Sequence[str]) -> str:
    more = f' and {len(paths) - _SHOWN} more' if len(paths) > _SHOWN else ''
    return ', '.join(paths[:_SHOWN]) + more


def unwrapped(dataset: Any) -> Iterator[Any]:
    """Yield the data sets in the wrappers of one."""
    if hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from unwrapped(part)
    elif hasattr(dataset, 'dataset'):
        yield from unwrapped(dataset.dataset)
    else:
        yield dataset


def _has_local_labels(dataset: BaseDataset) -> bool:
    # The first image tells: detection sets are large, and have no label maps.
    info = dataset.get_data_info(0)
    labels = [info[key] for key in LABEL_KEYS if info.get(key)]
    backend = (getattr(dataset, 'backend_args', None) or {}).get('backend', 'local')
    return bool(labels) and backend == 'local' and '://' not in labels[0]
