"""Semantic segmentation from one layer: batch norm and a 1x1 convolution."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import METRICS
from torch import Tensor, nn

from pe_mm.segmentation import LinearSegmentationHead

from .config_task import ConfigTask
from .probe_task import Sample
from .quiet import quiet

IGNORED = 255


class SegmentationTask(ConfigTask):
    """Classify every pixel; mIoU in percent.

    The probe is DINOv3's (arXiv 2508.10104, appendix D.1) without dropout: batch norm
    and a 1x1 convolution per layer. Its logits are compared with labels at a quarter of
    the image's resolution while it learns, and with the labels of the pictures' own
    size when it is measured.

    Args:
        cfg: A config of data, as ``load_data_config`` returns it, with an IoUMetric.
        settings: What else ``ConfigTask`` takes.
    """

    name = 'segmentation'
    metric = 'mIoU'
    higher_is_better = True
    scope = 'mmseg'
    evaluator = 'IoUMetric'

    def __init__(self, cfg: Config, **settings: Any) -> None:
        super().__init__(cfg, **settings)
        self.num_classes = len(self.val.metainfo['classes'])
        self._grid = tuple(side // 4 for side in self.resolution)
        self.protocol = {
            **self.protocol,
            'probe': 'batch norm, 1x1 convolution',
            'loss': 'cross-entropy at 1/4 of the resolution',
        }

    def encode_truth(self, sample: Sample) -> dict[str, Tensor]:
        """Return the labels at a quarter of the resolution, (H / 4, W / 4)."""
        labels = sample.truth.gt_sem_seg.data[None].float()
        small = F.interpolate(labels, self._grid, mode='nearest-exact')
        return {'labels': small[0, 0].to(torch.int16)}

    def build_probe(self, channels: int) -> nn.Module:
        """Build mmseg's linear head."""
        head = LinearSegmentationHead(
            channels,
            self.num_classes,
            norm_cfg={'type': 'BN'},
            dropout_ratio=0.0,
        )
        head.init_weights()
        return head

    def loss(
        self, probe: nn.Module, features: Tensor, truths: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the cross-entropy over the pixels that have a class."""
        logits = F.interpolate(probe([features]), self._grid, mode='bilinear')
        labels = truths['labels'].long()
        total = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction='sum')
        return total / (labels != IGNORED).sum().clamp(min=1)

    def build_metric(self) -> 'SegmentationMetric':
        """Return the config's IoU metric, empty."""
        return SegmentationMetric(self._evaluator, self.val.metainfo)


class SegmentationMetric:
    """mIoU of mmseg, of labels at the pictures' own size."""

    def __init__(self, evaluator: Mapping[str, Any], metainfo: dict[str, Any]) -> None:
        self._metric = METRICS.build(dict(evaluator))
        self._metric.dataset_meta = metainfo

    def add(
        self, probe: nn.Module, features: Tensor, samples: Sequence[Sample]
    ) -> None:
        """Compare the most likely class of every pixel."""
        for logits, sample in zip(probe([features]), samples, strict=True):
            truth = sample.truth.gt_sem_seg.data
            whole = F.interpolate(logits[None], truth.shape[-2:], mode='bilinear')
            predicted = whole.argmax(1).cpu()
            self._metric.process(
                {},
                [{'pred_sem_seg': {'data': predicted}, 'gt_sem_seg': {'data': truth}}],
            )

    def compute(self) -> float:
        """Return the mean over the classes, in percent."""
        with quiet():
            return float(self._metric.compute_metrics(self._metric.results)['mIoU'])
