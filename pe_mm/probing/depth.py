"""Depth from one layer: batch norm, a 1x1 convolution, the expectation over bins."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import METRICS
from torch import Tensor, nn

from pe_mm.depth import LinearDepthHead

from .config_task import ConfigTask
from .probe_task import Sample
from .quiet import quiet

NUM_BINS = 256
_RANGE = ('min_depth_eval', 'max_depth_eval')


class DepthTask(ConfigTask):
    """Estimate depth in metres; RMSE, averaged over images.

    The probe is DINOv3's (arXiv 2508.10104, its code): batch norm, 1x1 convolution, 256
    bins from the smallest to the largest depth that is evaluated, loss SigLoss. Depth
    is compared at a quarter of the image's resolution while the probe learns, and at
    the pictures' own size when it is measured.

    Args:
        cfg: A config of data, as ``load_data_config`` returns it, with a DepthMetric.
        settings: What else ``ConfigTask`` takes.
    """

    name = 'depth'
    metric = 'RMSE'
    higher_is_better = False
    scope = 'mmseg'
    evaluator = 'DepthMetric'

    def __init__(self, cfg: Config, **settings: Any) -> None:
        super().__init__(cfg, **settings)
        self._grid = tuple(side // 4 for side in self.resolution)
        # The loss first learns the scale.
        self._warm_iters = (self.budget.iterations or 0) // 10
        self.protocol = {
            **self.protocol,
            'probe': f'batch norm, 1x1 convolution, {NUM_BINS} linear bins',
            'loss': 'SigLoss at 1/4 of the resolution',
            'metres': [self._evaluator[key] for key in _RANGE],
            'crop': self._evaluator.get('crop_type'),
        }

    def encode_truth(self, sample: Sample) -> dict[str, Tensor]:
        """Return metres at a quarter of the resolution, (1, H / 4, W / 4)."""
        depth = sample.truth.gt_depth_map.data[None].float()
        return {'depth': F.interpolate(depth, self._grid, mode='nearest-exact')[0]}

    def build_probe(self, channels: int) -> nn.Module:
        """Build our linear head."""
        nearest, farthest = self.protocol['metres']
        head = LinearDepthHead(
            channels,
            min_depth=nearest,
            max_depth=farthest,
            num_bins=NUM_BINS,
            norm_cfg={'type': 'BN'},
            loss_decode={
                'type': 'pe_mm.ScaleInvariantLogLoss',
                'warm_iters': self._warm_iters,
            },
        )
        head.init_weights()
        return head

    def loss(
        self, probe: Any, features: Tensor, truths: Mapping[str, Tensor]
    ) -> Tensor:
        """Return SigLoss over the pixels that have a depth."""
        depth = F.interpolate(probe([features]), self._grid, mode='bilinear')
        measured = truths['depth']
        loss: Tensor = probe.loss_decode(
            depth, measured, probe.depth_range.valid(measured)
        )
        return loss

    def build_metric(self) -> 'DepthProbeMetric':
        """Return the config's depth metric, empty."""
        return DepthProbeMetric(self._evaluator)


class DepthProbeMetric:
    """RMSE of ``pe_mm.DepthMetric``, of depth at the pictures' own size."""

    def __init__(self, evaluator: Mapping[str, Any]) -> None:
        self._metric = METRICS.build({**evaluator, 'depth_metrics': ['rmse']})

    def add(
        self, probe: nn.Module, features: Tensor, samples: Sequence[Sample]
    ) -> None:
        """Compare depth of every pixel."""
        for depth, sample in zip(probe([features]), samples, strict=True):
            truth = sample.truth.gt_depth_map.data
            whole = F.interpolate(depth[None], truth.shape[-2:], mode='bilinear')
            pair = {'pred_depth_map': whole[0].cpu(), 'gt_depth_map': truth}
            self._metric.process({}, [{k: {'data': v} for k, v in pair.items()}])

    def compute(self) -> float:
        """Return the mean over the images, in metres."""
        with quiet(), torch.no_grad():
            return float(self._metric.compute_metrics(self._metric.results)['rmse'])
