"""How often every class is drawn by the federated loss."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from mmdet.datasets import MultiImageMixDataset
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)
from mmengine.dist import broadcast, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor

from pe_mm.detection.federated_loss import FederatedLoss


@HOOKS.register_module()
class FederatedClassesHook(Hook):
    """Set the weights of every ``pe_mm.FederatedLoss`` from the training set.

    A class weighs (number of images that contain it) ** power. Images are counted as
    the data set lists them, once each, whatever wrappers repeat.

    The weights are always counted, also where a checkpoint brought some: the same data
    give a resumed run the same weights, and other data need their own.

    Args:
        power: Exponent of the counts, >= 0: 0.5 as in detectron2's LVIS models, 0 to
            draw all classes that have images alike.

    Raises:
        ValueError: ``power`` is negative.
    """

    def __init__(self, power: float = 0.5) -> None:
        if power < 0:
            raise ValueError(f'power must be >= 0, got {power}')
        self.power = power

    def before_train(self, runner: Runner) -> None:
        """Count the images of every class, and hand their weights to the losses.

        Raises:
            ValueError: The model has no FederatedLoss, its number of classes is not
                the training set's, or the set has no annotations.
        """
        losses = [m for m in runner.model.modules() if isinstance(m, FederatedLoss)]
        if not losses:
            raise ValueError(
                'FederatedClassesHook finds no pe_mm.FederatedLoss in the model; set '
                "it as the box head's loss_cls, or leave the hook out"
            )
        num_classes = losses[0].num_classes
        counts = torch.zeros(num_classes, dtype=torch.long)
        # One process counts, the others of a machine would only be in its way.
        if is_main_process():
            counts = count_images(runner.train_dataloader.dataset, num_classes)
        broadcast(counts)
        if not counts.any():
            raise ValueError(
                'FederatedClassesHook finds no annotation in the training set; see its '
                'ann_file and filter_cfg'
            )
        weights = counts.double() ** self.power * (counts > 0)
        for loss in losses:
            loss.class_weights.copy_(weights)
        runner.logger.info(
            f'Federated loss: {int((counts > 0).sum())} of {num_classes} classes have '
            f'images, from {int(counts[counts > 0].min())} to {int(counts.max())} each.'
        )


def count_images(dataset: Any, num_classes: int) -> Tensor:
    """Count the images that contain each class, whatever wrappers repeat.

    Args:
        dataset: A detection data set of mmdet's, or wrappers around some.
        num_classes: K.

    Returns:
        Counts (K,), int64.

    Raises:
        ValueError: The data set has not K classes, or is of an unknown kind.
    """
    images: Counter[int] = Counter()
    for part in _unwrapped(dataset):
        names = part.metainfo.get('classes', ())
        if names and len(names) != num_classes:
            raise ValueError(
                f'FederatedLoss(num_classes={num_classes}) is trained on a '
                f'{type(part).__name__} of {len(names)} classes; give both the same'
            )
        for index in range(len(part)):
            images.update(set(part.get_cat_ids(index)))
    if images and max(images) >= num_classes:
        raise ValueError(
            f'the annotations have class ids up to {max(images)}, FederatedLoss('
            f'num_classes={num_classes}) knows 0 to {num_classes - 1}; give it the '
            'number of categories in the annotation file'
        )
    return torch.tensor([images[label] for label in range(num_classes)])


def _unwrapped(dataset: Any) -> Iterator[BaseDataset]:
    """Yield the data sets in the wrappers of one."""
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from _unwrapped(part)
    elif isinstance(
        dataset, (RepeatDataset, ClassBalancedDataset, MultiImageMixDataset)
    ):
        yield from _unwrapped(dataset.dataset)
    elif isinstance(dataset, BaseDataset):
        yield dataset
    else:
        raise ValueError(
            f'cannot count the classes of a {type(dataset).__name__}; use a data set '
            "of mmdet's, or mmengine's or mmdet's wrappers around some"
        )
