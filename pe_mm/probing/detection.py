"""Detection from one layer: a small anchor-free head on twice as fine a map."""

import copy
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmdet.models.dense_heads import FCOSHead
from mmengine.config import Config, ConfigDict
from mmengine.registry import METRICS
from mmengine.structures import InstanceData
from pycocotools.cocoeval import COCOeval
from torch import Tensor, nn

from .config_task import ConfigTask
from .probe_task import Sample
from .quiet import quiet

CHANNELS = 64
# More boxes than any image of COCO has.
MAX_BOXES = 128
_MAX_DETECTIONS = 100


class DetectionProbe(nn.Module):
    """Find objects in a map: batch norm, a transposed convolution, mmdet's FCOS head.

    Two locations per token along each side, all of one level whatever the objects'
    size; one convolution before the predictions.

    Args:
        channels: Of the features.
        num_classes: Of the objects.
        stride: Pixels between two locations, half a token.
    """

    def __init__(self, channels: int, *, num_classes: int, stride: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.upsample = nn.ConvTranspose2d(channels, CHANNELS, 2, stride=2)
        self.head = FCOSHead(
            num_classes,
            CHANNELS,
            feat_channels=CHANNELS,
            stacked_convs=1,
            strides=[stride],
            regress_ranges=((-1, float('inf')),),
            center_sampling=True,
            norm_on_bbox=True,
            centerness_on_reg=True,
            loss_bbox={'type': 'GIoULoss', 'loss_weight': 1.0},
            norm_cfg={'type': 'GN', 'num_groups': 8},
            test_cfg=ConfigDict(
                nms_pre=1000,
                min_bbox_size=0,
                score_thr=0.01,
                nms={'type': 'nms', 'iou_threshold': 0.6},
                max_per_img=_MAX_DETECTIONS,
            ),
        )
        self.head.init_weights()

    def forward(self, features: Tensor) -> tuple[list[Tensor], ...]:
        """Return the head's class scores, boxes and centernesses."""
        outputs: tuple[list[Tensor], ...] = self.head(
            [self.upsample(self.norm(features))]
        )
        return outputs


class DetectionTask(ConfigTask):
    """Find boxes; AP of COCO, in percent.

    Args:
        cfg: A config of data, as ``load_data_config`` returns it, with a CocoMetric.
        patch_size: Of the encoder, in pixels.
        settings: What else ``ConfigTask`` takes; boxes are measured at the pictures'
            own size.
    """

    name = 'detection'
    metric = 'box AP'
    higher_is_better = True
    scope = 'mmdet'
    evaluator = 'CocoMetric'

    def __init__(self, cfg: Config, *, patch_size: int, **settings: Any) -> None:
        super().__init__(cfg, **settings)
        self.num_classes = len(self.val.metainfo['classes'])
        self._stride = patch_size // 2
        self.protocol = {
            **self.protocol,
            'probe': f'batch norm, 2x transposed convolution to {CHANNELS}, one '
            'convolution, FCOS predictions of one level',
            'loss': 'focal, GIoU and centerness of FCOS',
        }

    def encode_truth(self, sample: Sample) -> dict[str, Tensor]:
        """Return boxes of the square image and classes, padded with class -1.

        Crowds are left out.

        Raises:
            ValueError: An image has more objects than fit.
        """
        truth = sample.truth
        boxes, labels = truth.gt_instances.bboxes.tensor, truth.gt_instances.labels
        if len(boxes) > MAX_BOXES:
            raise ValueError(
                f'{truth.img_path} has {len(boxes)} objects, the detection probe takes '
                f'at most {MAX_BOXES}'
            )
        scaled = torch.zeros(MAX_BOXES, 4)
        scaled[: len(boxes)] = boxes / self._to_own_size(sample)
        padded = torch.full((MAX_BOXES,), -1, dtype=torch.int16)
        padded[: len(boxes)] = labels
        return {'boxes': scaled, 'classes': padded}

    def build_probe(self, channels: int) -> nn.Module:
        """Build a detection probe."""
        return DetectionProbe(
            channels, num_classes=self.num_classes, stride=self._stride
        )

    def loss(
        self, probe: Any, features: Tensor, truths: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the sum of FCOS's losses."""
        instances = [
            InstanceData(
                bboxes=boxes[classes >= 0], labels=classes[classes >= 0].long()
            )
            for boxes, classes in zip(truths['boxes'], truths['classes'], strict=True)
        ]
        metas = [{'img_shape': self.resolution}] * len(instances)
        losses = probe.head.loss_by_feat(*probe(features), instances, metas)
        total: Tensor = sum(losses.values())
        return total

    def build_metric(self) -> 'DetectionMetric':
        """Return the config's COCO metric, empty."""
        return DetectionMetric(self)

    def coco_metric(self) -> Any:
        """Return the config's metric, for boxes alone; all share the annotations."""
        metric = copy.copy(self._empty_metric)
        metric.results = []
        return metric

    @cached_property
    def _empty_metric(self) -> Any:
        metric = METRICS.build({**self._evaluator, 'metric': 'bbox'})
        metric.dataset_meta = self.val.metainfo
        return metric

    def predict(self, probe: Any, features: Tensor) -> list[InstanceData]:
        """Return what a probe finds in square images."""
        metas = [{'img_shape': self.resolution}] * len(features)
        found: list[InstanceData] = probe.head.predict_by_feat(
            *probe(features), batch_img_metas=metas, rescale=False
        )
        return found

    def to_own_size(self, sample: Sample, boxes: Tensor) -> Tensor:
        """Scale boxes of the square to the picture's own size."""
        return boxes * self._to_own_size(sample).to(boxes)

    def _to_own_size(self, sample: Sample) -> Tensor:
        height, width = sample.truth.ori_shape
        side = self.resolution[0]
        return torch.tensor([width, height, width, height]) / side


class DetectionMetric:
    """AP of pycocotools, over the images that were added."""

    def __init__(self, task: DetectionTask) -> None:
        self._task = task
        self._metric = task.coco_metric()

    def add(
        self, probe: nn.Module, features: Tensor, samples: Sequence[Sample]
    ) -> None:
        """Keep the boxes that are found, at the pictures' own size."""
        found = self._task.predict(probe, features)
        for instances, sample in zip(found, samples, strict=True):
            instances.bboxes = self._task.to_own_size(sample, instances.bboxes)
            truth = sample.truth
            self._metric.process(
                {},
                [
                    {
                        'pred_instances': instances,
                        'img_id': truth.img_id,
                        'ori_shape': truth.ori_shape,
                    }
                ],
            )

    def compute(self) -> float:
        """Return AP over IoU 0.5 to 0.95, in percent; NaN where there is no object.

        It is pycocotools' own number: mmdet's metric rounds it to 0.1 percent, which
        is as much as layers differ by.
        """
        metric, results = self._metric, self._metric.results
        api = metric._coco_api
        # Without it, images that were left out would count as ones with no boxes.
        images = [predicted['img_id'] for _, predicted in results]
        metric.cat_ids = api.get_cat_ids(cat_names=metric.dataset_meta['classes'])
        if not api.getAnnIds(imgIds=images, catIds=metric.cat_ids, iscrowd=False):
            return math.nan
        if not any(len(predicted['scores']) for _, predicted in results):
            return 0.0
        with quiet(), TemporaryDirectory() as folder:
            found = metric.results2json([p for _, p in results], f'{folder}/found')
            evaluation = COCOeval(api, api.loadRes(found['bbox']), 'bbox')
            evaluation.params.catIds = metric.cat_ids
            evaluation.params.imgIds = images
            evaluation.params.maxDets = list(metric.proposal_nums)
            evaluation.params.iouThrs = metric.iou_thrs
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return 100 * float(evaluation.stats[0])
