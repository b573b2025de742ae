"""Classifying images from one layer: k nearest neighbours, and a linear classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor, nn

from .class_images import FolderImages, LargestObjects
from .data_facts import describe_data
from .probe_task import Budget, ProbeImages, Sample

NEIGHBOURS = 20
TEMPERATURE = 0.07


class _Classification:
    """What both ways of classifying share: images, classes and their metric.

    Args:
        train: Images to learn from, with class ids.
        val: Images to measure on.
        num_classes: Of them.
        config: What rows call the data.
        side: Of the square images, in pixels.
        budget: Of the training.
    """

    metric = 'accuracy'
    higher_is_better = True
    scope = 'mmengine'

    def __init__(
        self,
        train: ProbeImages,
        val: ProbeImages,
        *,
        num_classes: int,
        config: str,
        side: int,
        budget: Budget,
    ) -> None:
        self.train = train
        self.val = val
        self.num_classes = num_classes
        self.config = config
        self.budget = budget
        self.resolution = (side, side)
        self.protocol: dict[str, Any] = {
            **asdict(budget),
            **describe_data(train, val),
            'feature': 'mean of the patches',
        }

    def encode_truth(self, sample: Sample) -> dict[str, Tensor]:
        """Return the class id."""
        return {'class': torch.tensor(sample.truth)}

    def build_metric(self) -> 'Accuracy':
        """Return an empty metric."""
        return Accuracy()


class KNNTask(_Classification):
    """Vote of the 20 nearest training images, by cosine, weighted by exp(cos / 0.07).

    The protocol of DINO (arXiv 2104.14294, its code), of the mean of the patches
    instead of the class token, which not every encoder has. Accuracy in percent.
    """

    name = 'knn'
    is_random = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.protocol |= {'probe': f'{NEIGHBOURS}-NN, temperature {TEMPERATURE}'}

    def build_probe(self, channels: int) -> nn.Module:
        """Build a classifier that has seen nothing."""
        return NearestNeighbours(len(self.train), channels, self.num_classes)

    def loss(self, probe: Any, features: Tensor, truths: Mapping[str, Tensor]) -> None:
        """Remember the images of a batch."""
        probe.embeddings[truths['index']] = embed(features).half()
        probe.classes[truths['index']] = truths['class']


class LinearClassificationTask(_Classification):
    """A linear classifier of the mean of the patches, after batch norm.

    Batch norm without learned scales, as MAE's linear probe (arXiv 2111.06377,
    appendix A.1). Accuracy in percent.

    Raises:
        ValueError: A batch of one image, which batch norm cannot learn from.
    """

    name = 'linear'
    is_random = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.budget.batch_size < 2:
            raise ValueError(
                'linear: batch norm cannot learn from batches of 1 image; give '
                '--batch-size 2 or more'
            )
        self.protocol |= {'probe': 'batch norm, linear', 'loss': 'cross-entropy'}

    def build_probe(self, channels: int) -> nn.Module:
        """Build a linear classifier."""
        return LinearClassifier(channels, self.num_classes)

    def loss(
        self, probe: nn.Module, features: Tensor, truths: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(probe(features), truths['class'])


class LinearClassifier(nn.Module):
    """Classify the mean of the patches."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels, affine=False)
        self.linear = nn.Linear(channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits.  (B, C, h, w) -> (B, num_classes)."""
        logits: Tensor = self.linear(self.norm(features.mean((2, 3))))
        return logits


class NearestNeighbours(nn.Module):
    """Classify by the nearest of the images that it remembers.

    Args:
        count: How many images it will remember.
        channels: Of the features.
        num_classes: Of the images.
    """

    embeddings: Tensor
    classes: Tensor

    def __init__(self, count: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.register_buffer('embeddings', torch.zeros(count, channels).half())
        self.register_buffer('classes', torch.zeros(count, dtype=torch.long))

    def forward(self, features: Tensor) -> Tensor:
        """Return the votes.  (B, C, h, w) -> (B, num_classes)."""
        cosine = embed(features) @ self.embeddings.float().T
        nearest = cosine.topk(min(NEIGHBOURS, len(self.classes)), dim=1)
        weights = (nearest.values / TEMPERATURE).exp()
        votes = weights.new_zeros(len(features), self.num_classes)
        return votes.scatter_add(1, self.classes[nearest.indices], weights)


class Accuracy:
    """The share of images whose most likely class is right, in percent."""

    def __init__(self) -> None:
        self._right: list[bool] = []

    def add(
        self, probe: nn.Module, features: Tensor, samples: Sequence[Sample]
    ) -> None:
        """Compare the most likely classes."""
        predicted = probe(features).argmax(1).tolist()
        self._right += [
            answer == sample.truth
            for answer, sample in zip(predicted, samples, strict=True)
        ]

    def compute(self) -> float:
        """Return the share, in percent."""
        return 100 * sum(self._right) / len(self._right)


def embed(features: Tensor) -> Tensor:
    """Return the mean of the patches, of length 1.  (B, C, h, w) -> (B, C)."""
    return F.normalize(features.float().mean((2, 3)), dim=1)


def folder_splits(
    root: Path, side: int, limits: tuple[int | None, int | None]
) -> tuple[FolderImages, FolderImages, int]:
    """Return the images of ROOT/train and ROOT/val, and the number of classes.

    Raises:
        FileNotFoundError: One is missing, or has other classes than the other.
    """
    for split in ('train', 'val'):
        if not (root / split).is_dir():
            raise FileNotFoundError(
                f'{root / split} does not exist; images for classification are in '
                f'{root}/train/CLASS and {root}/val/CLASS'
            )
    classes = sorted(
        {
            path.name
            for split in ('train', 'val')
            for path in (root / split).iterdir()
            if path.is_dir() and not path.name.startswith('.')
        }
    )
    train, val = (
        FolderImages(root / split, classes=classes, side=side, limit=limit)
        for split, limit in zip(('train', 'val'), limits, strict=True)
    )
    return train, val, len(classes)


def object_splits(
    cfg: Config, side: int, limits: tuple[int | None, int | None]
) -> tuple[LargestObjects, LargestObjects, int]:
    """Return the largest objects of a detection config, and the number of classes."""
    loaders = (cfg.train_dataloader, cfg.val_dataloader)
    train, val = (
        LargestObjects(loader, side=side, limit=limit)
        for loader, limit in zip(loaders, limits, strict=True)
    )
    return train, val, len(val.classes)
