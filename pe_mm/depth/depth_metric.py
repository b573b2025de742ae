"""Depth metrics over valid pixels of the crops that papers evaluate."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.registry import METRICS
from mmseg.evaluation import DepthMetric as MMSegDepthMetric
from prettytable import PrettyTable
from torch import Tensor

# mmseg's 'nyu_crop' has fixed rows and columns, meant for NYUv2's images.
_NYU_SIZE = (480, 640)
# KITTI's as (top, bottom, left, right) in parts of the height and the width: those of
# Eigen et al. (arXiv 1406.2283) and Garg et al. (arXiv 1603.04992).
_KITTI_CROPS = {
    'eigen_crop': (0.3324324, 0.91351351, 0.0359477, 0.96405229),
    'garg_crop': (0.40810811, 0.99189189, 0.03594771, 0.96405229),
}
_CROPS = ('nyu_crop', *_KITTI_CROPS)


@METRICS.register_module()
class DepthMetric(MMSegDepthMetric):
    """Measure depth per image, then average over images.

    rmse is the mean of the images' root mean squared errors, as in mmseg and most
    papers, not the root over all pixels of a data set; likewise every other metric.

    Differences from mmseg's metric (1.2.2), which it equals where that works:
    ``depth_metrics`` can be given; KITTI has crops; predictions are clamped to the
    range; images without valid depth are left out instead of making every metric NaN;
    numbers, not pixels, are kept of each image.

    A pixel counts if min_depth_eval < depth < max_depth_eval, inside the crop: 0, NaN
    and infinity never do.

    Args:
        depth_metrics: Which of ``METRICS`` to compute; None for all. d1, d2 and d3 are
            also known as a1, a2 and a3.
        min_depth_eval: In metres; also the smallest prediction, so > 0 for a metric
            with logarithms.
        max_depth_eval: In metres; also the largest prediction.
        crop_type: 'nyu_crop' ([45:471, 41:601] of 480 x 640), 'eigen_crop' or
            'garg_crop' (KITTI, any size); None for the whole image.
        kwargs: What else mmseg's ``DepthMetric`` takes.

    Raises:
        ValueError: A metric or the crop is unknown.
    """

    def __init__(
        self,
        depth_metrics: Sequence[str] | None = None,
        min_depth_eval: float = 1e-3,
        max_depth_eval: float = float('inf'),
        *,
        crop_type: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            min_depth_eval=min_depth_eval, max_depth_eval=max_depth_eval, **kwargs
        )
        if depth_metrics is not None:
            self.metrics = _check_metrics(depth_metrics, self.METRICS)
        if crop_type is not None and crop_type not in _CROPS:
            raise ValueError(
                f'crop_type must be one of {_CROPS} or None, got {crop_type!r}'
            )
        self.crop_type = crop_type

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure the images of a batch.

        Args:
            data_batch: Not used.
            data_samples: The model's outputs: ``pred_depth_map`` and ``gt_depth_map``,
                (1, H, W) in metres.

        Raises:
            ValueError: A prediction has another size than the measured depth, or an
                image is not of the size that the crop is meant for.
        """
        for sample in () if self.format_only else data_samples:
            predicted, measured = (
                tuple(sample[key]['data'].shape[-2:])
                for key in ('pred_depth_map', 'gt_depth_map')
            )
            if predicted != measured:
                raise ValueError(
                    f'predicted depth is {predicted}, measured depth {measured}; in '
                    'the test pipeline LoadDepthAnnotation must come after Resize, and '
                    'nothing may crop: crop_type measures a part of the image'
                )
            if self.crop_type == 'nyu_crop' and measured != _NYU_SIZE:
                raise ValueError(
                    "crop_type='nyu_crop' is meant for depth of 480 x 640, got "
                    f'{measured[0]} x {measured[1]}; take None for other data'
                )
        start = len(self.results)
        super().process(data_batch, data_samples)
        pairs = self.results[start:]
        # One entry per image, so that those that a sampler gave twice can be told.
        self.results[start:] = [
            self._calc_all_metrics(
                measured, depth.clamp(self.min_depth_eval, self.max_depth_eval)
            )
            if measured.numel()
            else {}
            for measured, depth in pairs
        ]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average the images' metrics.

        Args:
            results: One dict per image, empty without valid depth.

        Raises:
            ValueError: No image has valid depth.
        """
        if self.format_only:
            return super().compute_metrics(results)
        results = [image for image in results if image]
        if not results:
            raise ValueError(
                'no image has valid depth: none is between '
                f'min_depth_eval={self.min_depth_eval} and '
                f'max_depth_eval={self.max_depth_eval} metres inside crop_type='
                f"{self.crop_type!r}; check LoadDepthAnnotation's depth_rescale_factor"
            )
        metrics = {
            name: sum(image[name] for image in results) / len(results)
            for name in self.metrics
        }
        table = PrettyTable()
        for name, value in metrics.items():
            table.add_column(name, [round(value, 5)])
        print_log(f'results of {len(results)} images:\n{table}', logger='current')
        return metrics

    def _get_eval_mask(self, gt_depth: Tensor) -> Tensor:
        valid = super()._get_eval_mask(gt_depth)
        if self.crop_type not in _KITTI_CROPS:
            return valid
        height, width = gt_depth.shape
        top, bottom, left, right = _KITTI_CROPS[self.crop_type]
        inside = torch.zeros_like(valid)
        rows = slice(int(top * height), int(bottom * height))
        inside[rows, int(left * width) : int(right * width)] = True
        return valid & inside


def _check_metrics(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return names of metrics as a tuple.

    Raises:
        ValueError: It is no list, or a name is unknown.
    """
    if not isinstance(names, (list, tuple)) or not names or set(names) - set(known):
        raise ValueError(
            f'depth_metrics must be a list of some of {tuple(known)}, got {names!r}'
        )
    return tuple(names)
