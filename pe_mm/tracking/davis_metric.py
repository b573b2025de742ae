"""DAVIS-2017's scores of tracked objects: region similarity J and boundary accuracy F.

As the official evaluation of the semi-supervised task defines them (arXiv 1704.00675):
every object counts the same, and neither the first frame nor the last one counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

BOUND = 0.008  # Of the image's diagonal: how far apart boundaries still match.
RECALL_ABOVE = 0.5
VOID = 255  # Pixels without annotation.
_QUARTERS = 4

Mask = NDArray[Any]


def region_similarity(truth: Mask, found: Mask) -> float:
    """Return J, the intersection over union of two masks.

    Args:
        truth: (H, W), nonzero inside.
        found: Likewise.

    Returns:
        0 to 1; 1 where both are empty.
    """
    truth, found = truth.astype(bool), found.astype(bool)
    union = np.count_nonzero(truth | found)
    return np.count_nonzero(truth & found) / union if union else 1.0


def boundary_accuracy(truth: Mask, found: Mask, *, bound: float = BOUND) -> float:
    """Return F, the F-measure of the pixels on two masks' boundaries.

    Args:
        truth: (H, W), nonzero inside.
        found: Likewise.
        bound: Share of the diagonal, rounded up to pixels, within which pixels of
            the boundaries match.

    Returns:
        0 to 1. Without any boundary in both masks 1, in only one of them 0; a mask that
        fills the picture has none.
    """
    edges = [_boundary(mask.astype(bool)) for mask in (truth, found)]
    if not all(edge.any() for edge in edges):
        return float(edges[0].any() == edges[1].any())
    disk = _disk(int(np.ceil(bound * np.linalg.norm(truth.shape))))
    near = [cv2.dilate(edge.astype(np.uint8), disk) > 0 for edge in edges]
    recall = (edges[0] & near[1]).sum() / edges[0].sum()
    precision = (edges[1] & near[0]).sum() / edges[1].sum()
    total = precision + recall
    return float(2 * precision * recall / total) if total else 0.0


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return pixels that differ from the one on the right, below, or both."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode='edge')
    right, below, diagonal = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return (mask ^ right) | (mask ^ below) | (mask ^ diagonal)


def _disk(radius: int) -> NDArray[np.uint8]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (x**2 + y**2 <= radius**2).astype(np.uint8)


@dataclass(frozen=True)
class Statistics:
    """A measure over the frames of an object, or over the objects of a data set.

    Attributes:
        mean: Over the frames.
        recall: Share of the frames above 0.5.
        decay: Mean of the first quarter minus mean of the last.
    """

    mean: float
    recall: float
    decay: float

    @classmethod
    def of_frames(cls, values: Sequence[float]) -> 'Statistics':
        """Sum up the frames of one object; there must be one at least."""
        # The official quarters: each shares the frame at its end with the next.
        bounds = np.round(np.linspace(1, len(values), _QUARTERS + 1) + 1e-10) - 1
        ends = bounds.astype(int).tolist()
        first, last = values[: ends[1] + 1], values[ends[-2] :]
        return cls(
            mean=float(np.mean(values)),
            recall=float(np.mean(np.asarray(values) > RECALL_ABOVE)),
            decay=float(np.mean(first) - np.mean(last)),
        )

    @classmethod
    def of_objects(cls, objects: Sequence['Statistics']) -> 'Statistics':
        """Average over objects; there must be one at least."""
        rows = [(o.mean, o.recall, o.decay) for o in objects]
        return cls(*(float(value) for value in np.mean(rows, axis=0)))


@dataclass
class ObjectFrames:
    """The scores of one object in one clip, frame by frame.

    Attributes:
        sequence: Name of the clip.
        object_id: The object's number in the masks.
        j: Region similarity of the frames that count.
        f: Boundary accuracy of them.
    """

    sequence: str
    object_id: int
    j: list[float] = field(default_factory=list)
    f: list[float] = field(default_factory=list)


class SequenceScores:
    """Compare the masks of one clip, frame by frame.

    As in the official evaluation, the objects are all numbers from 1 to the largest in
    the first frame: one that is missing there counts, as an empty mask. What appears
    only later, and pixels without annotation (255), are background.

    Args:
        sequence: Name of the clip.
        first_mask: (H, W) object ids of its first frame.

    Attributes:
        objects: The scores of each object.

    Raises:
        ValueError: There is no object in the first frame.
    """

    def __init__(self, sequence: str, first_mask: NDArray[np.integer]) -> None:
        count = int(first_mask[first_mask != VOID].max(initial=0))
        if not count:
            raise ValueError(f'clip {sequence} has no object in its first mask')
        self.objects = [ObjectFrames(sequence, k) for k in range(1, count + 1)]

    def add(self, truth: NDArray[np.integer], found: NDArray[np.integer]) -> None:
        """Compare a frame that counts: neither the first annotated one nor the last.

        Args:
            truth: (H, W) annotated object ids.
            found: (H, W) object ids to judge.

        Raises:
            ValueError: The sizes differ.
        """
        if truth.shape != found.shape:
            raise ValueError(
                f'masks of {found.shape} pixels cannot be compared with annotations of '
                f'{truth.shape}; write them at the native size'
            )
        for scores in self.objects:
            masks = truth == scores.object_id, found == scores.object_id
            scores.j.append(region_similarity(*masks))
            scores.f.append(boundary_accuracy(*masks))


@dataclass(frozen=True)
class Summary:
    """J and F over objects, from one clip or from many.

    Attributes:
        j: Of the regions.
        f: Of the boundaries.
    """

    j: Statistics
    f: Statistics

    @property
    def j_and_f(self) -> float:
        """The mean of J and F, DAVIS' main number."""
        return (self.j.mean + self.f.mean) / 2

    @classmethod
    def of(cls, objects: Sequence[ObjectFrames]) -> 'Summary':
        """Sum up objects, each of which counts the same.

        Raises:
            ValueError: There is no object, or one without frames that count.
        """
        if not objects or any(not scored.j for scored in objects):
            raise ValueError(
                'no scores to sum up: a clip needs annotations of three frames at '
                'least, since the first and the last do not count'
            )
        return cls(
            Statistics.of_objects([Statistics.of_frames(o.j) for o in objects]),
            Statistics.of_objects([Statistics.of_frames(o.f) for o in objects]),
        )

    def as_percent(self) -> dict[str, float]:
        """Return the seven numbers of the official table, by its names, in percent."""
        values = {
            'J&F-Mean': self.j_and_f,
            'J-Mean': self.j.mean,
            'J-Recall': self.j.recall,
            'J-Decay': self.j.decay,
            'F-Mean': self.f.mean,
            'F-Recall': self.f.recall,
            'F-Decay': self.f.decay,
        }
        return {name: 100 * value for name, value in values.items()}
