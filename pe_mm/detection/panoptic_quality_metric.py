"""Panoptic quality (Kirillov et al., arXiv 1801.00868) computed without panopticapi."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.evaluator import BaseMetric
from mmengine.fileio import load
from mmengine.registry import METRICS
from numpy.typing import NDArray

from .load_panoptic_annotations import LoadPanopticAnnotations

VOID = 0  # COCO's id of pixels that nobody labelled.


@METRICS.register_module()
class PanopticQualityMetric(BaseMetric):
    """PQ, SQ and RQ in percent, of all classes, of things (_th) and of stuff (_st).

    What mmdet's CocoPanopticMetric computes, under the same names; that one needs
    ``panopticapi``, which PyPI does not have, and writes every prediction to a file.

    A predicted and a true segment of the same class match if they overlap by more than
    half (IoU > 0.5, unlabelled pixels not counted). SQ is the mean IoU of the matches,
    RQ their F1 score, PQ = SQ * RQ, each averaged over the classes that occur.
    Predictions mostly on unlabelled pixels or on a crowd of their class are no errors.

    Args:
        ann_file: COCO panoptic JSON of the true segments.
        seg_prefix: Folder of their PNGs.
        collect_device: mmengine's 'cpu' or 'gpu'.
        prefix: Of the metrics' names.

    Raises:
        ValueError: The data set's classes are not those of ``ann_file``, or an image is
            not in it.
    """

    default_prefix = 'coco_panoptic'

    def __init__(
        self,
        ann_file: str,
        seg_prefix: str,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        content = load(ann_file)
        self.ann_file = ann_file
        self.seg_prefix = Path(seg_prefix)
        self.categories = {c['id']: c for c in content['categories']}
        self.annotations = {a['image_id']: a for a in content['annotations']}

    def process(
        self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]
    ) -> None:
        """Compare the predicted segments of some images to the true ones.

        Args:
            data_batch: Not used.
            data_samples: With ``img_id`` and ``pred_panoptic_seg``, whose ``sem_seg``
                is (1, H, W): class + 1000 * instance, the number of classes where
                nothing is predicted.
        """
        category_ids = self._category_ids()
        for sample in data_samples:
            image = sample['img_id']
            if image not in self.annotations:
                raise ValueError(
                    f'{self.ann_file} has no image {image}; give the ann_file of the '
                    'data set that is tested'
                )
            truth = self.annotations[image]
            png = mmcv.imread(self.seg_prefix / truth['file_name'], channel_order='rgb')
            predicted = sample['pred_panoptic_seg']['sem_seg'][0].cpu().numpy()
            true_segments = {
                s['id']: (s['category_id'], bool(s.get('iscrowd')))
                for s in truth['segments_info']
            }
            classes = {int(p): int(p) % INSTANCE_OFFSET for p in np.unique(predicted)}
            predicted_segments = {
                p: category_ids[label]
                for p, label in classes.items()
                if label < len(category_ids)
            }
            self.results.append(
                compare_segments(
                    LoadPanopticAnnotations.rgb2id(png),
                    true_segments,
                    predicted,
                    predicted_segments,
                )
            )

    def compute_metrics(
        self, results: list[dict[int, NDArray[np.float64]]]
    ) -> dict[str, float]:
        """Average over the classes.

        Args:
            results: Per image and category: sum of IoUs, matches, surplus predictions,
                missed segments.
        """
        totals: dict[int, NDArray[np.float64]] = defaultdict(lambda: np.zeros(4))
        for result in results:
            for category, counts in result.items():
                totals[category] += counts
        metrics = {}
        for suffix, kinds in (('', (0, 1)), ('_th', (1,)), ('_st', (0,))):
            qualities = [
                _qualities(*counts)
                for category, counts in totals.items()
                if self.categories[category]['isthing'] in kinds
            ]
            means = np.mean(qualities, axis=0) if qualities else np.zeros(3)
            for name, value in zip(('PQ', 'SQ', 'RQ'), means, strict=True):
                metrics[name + suffix] = round(100 * float(value), 3)
        return metrics

    def _category_ids(self) -> list[int]:
        """Return the categories of the data set's classes, in their order."""
        names = {c['name']: i for i, c in self.categories.items()}
        classes = (self.dataset_meta or {}).get('classes', ())
        if set(classes) != set(names):
            raise ValueError(
                f'the {len(classes)} classes of the data set are not the {len(names)} '
                f'categories of {self.ann_file}: {sorted(set(classes) ^ set(names))} '
                "are in one only; set the data set's metainfo"
            )
        return [names[name] for name in classes]


def compare_segments(
    true_ids: NDArray[Any],
    true_segments: Mapping[int, tuple[int, bool]],
    predicted_ids: NDArray[Any],
    predicted_segments: Mapping[int, int],
) -> dict[int, NDArray[np.float64]]:
    """Match the segments of one image.

    Args:
        true_ids: (H, W) ids, 0 where nobody labelled.
        true_segments: Category, and whether it is a crowd, of every true id.
        predicted_ids: (H, W) ids; those not in ``predicted_segments`` are nothing.
        predicted_segments: Category of every predicted id.

    Returns:
        (sum of IoUs, matches, surplus predictions, missed segments) per category.
    """
    overlaps = _count_pairs(true_ids, predicted_ids)
    true_areas: dict[int, int] = defaultdict(int)
    predicted_areas: dict[int, int] = defaultdict(int)
    for (true, predicted), pixels in overlaps.items():
        true_areas[true] += pixels
        predicted_areas[predicted] += pixels
    ignored = {p: overlaps.get((VOID, p), 0) for p in predicted_segments}
    counts: dict[int, NDArray[np.float64]] = defaultdict(lambda: np.zeros(4))
    matched = set()
    for (true, predicted), pixels in overlaps.items():
        if true not in true_segments or predicted not in predicted_segments:
            continue
        category, crowd = true_segments[true]
        if category != predicted_segments[predicted]:
            continue
        if crowd:
            ignored[predicted] += pixels
            continue
        void = overlaps.get((VOID, predicted), 0)
        union = true_areas[true] + predicted_areas[predicted] - pixels - void
        if pixels / union > 0.5:
            counts[category] += (pixels / union, 1, 0, 0)
            matched |= {('true', true), ('predicted', predicted)}
    for predicted, category in predicted_segments.items():
        surplus = ('predicted', predicted) not in matched
        if surplus and ignored[predicted] <= 0.5 * predicted_areas[predicted]:
            counts[category] += (0, 0, 1, 0)
    for true, (category, crowd) in true_segments.items():
        if not crowd and ('true', true) not in matched:
            counts[category] += (0, 0, 0, 1)
    return dict(counts)


def _count_pairs(
    true_ids: NDArray[Any], predicted_ids: NDArray[Any]
) -> dict[tuple[int, int], int]:
    """Count the pixels of every pair of ids that share some."""
    shift = int(predicted_ids.max(initial=0)) + 1
    pairs = true_ids.astype(np.int64) * shift + predicted_ids.astype(np.int64)
    values, pixels = np.unique(pairs, return_counts=True)
    return {
        divmod(int(pair), shift): int(count)
        for pair, count in zip(values, pixels, strict=True)
    }


def _qualities(
    ious: float, matches: float, surplus: float, missed: float
) -> tuple[float, float, float]:
    """Return PQ, SQ and RQ in 0..1 of one class."""
    segments = matches + (surplus + missed) / 2
    return (
        ious / segments,
        ious / matches if matches else 0.0,
        matches / segments,
    )
