"""The tasks of the demo: what each is measured by, and pictures of what it learned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmcv import imread
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray

from pe_mm.data import PALETTE
from pe_mm.data.annotations import MILLIMETRES
from pe_mm.prediction.drawing import (
    Picture,
    color_depth,
    draw_instances,
    draw_regions,
)

ZOOM = 2  # Of the panels; names cannot be read at the size of the scenes.

# Pictures show what a user would accept; AP counts detections of every score.
_MIN_SCORE = 0.4


@dataclass(frozen=True)
class DemoTask:
    """A task of the demo.

    Args:
        name: Also the folder of its training.
        config: Its config in configs/demo, without suffix.
        metrics: What is reported, and the evaluator's key of it.
        protocol: How it is measured.
        draw: Returns pictures of the labels and of a prediction, both ``ZOOM`` times as
            large as the scene, from a data set, an index and the predicted sample.
    """

    name: str
    config: str
    metrics: dict[str, str]
    protocol: str
    draw: Callable[[BaseDataset, int, Any], tuple[Picture, Picture]]


def draw_detections(
    dataset: BaseDataset, index: int, sample: Any
) -> tuple[Picture, Picture]:
    """Draw boxes and masks of the labels and of confident predictions."""
    info = dataset.get_data_info(index)
    image: Picture = imread(info['img_path'])
    names = dataset.metainfo['classes']
    instances = info['instances']
    labels = [instance['bbox_label'] for instance in instances]
    truth = draw_instances(
        image,
        boxes=np.array([instance['bbox'] for instance in instances]).reshape(-1, 4),
        masks=[_fill(instance['mask'], image.shape[:2]) for instance in instances],
        names=[names[label] for label in labels],
        colors=_bgr_colors(labels),
        zoom=ZOOM,
    )
    found = sample.pred_instances
    found = found[found.scores >= _MIN_SCORE]
    predicted = draw_instances(
        image,
        boxes=found.bboxes.numpy(),
        masks=found.masks.numpy(),
        names=[
            f'{names[label]} {score:.2f}'
            for label, score in zip(found.labels, found.scores, strict=True)
        ],
        colors=_bgr_colors(found.labels.tolist()),
        zoom=ZOOM,
    )
    return truth, predicted


def draw_semantics(
    dataset: BaseDataset, index: int, sample: Any
) -> tuple[Picture, Picture]:
    """Draw the class of every pixel, as labelled and as predicted."""
    info = dataset.get_data_info(index)
    image: Picture = imread(info['img_path'])
    # As mmseg reduces the zero label: 0 becomes 255, which is no class.
    truth = imread(info['seg_map_path'], flag='unchanged') - np.uint8(1)
    predicted = sample.pred_sem_seg.data[0].numpy()
    names, colors = (dataset.metainfo[key] for key in ('classes', 'palette'))
    regions = {
        label: (name, color[::-1])
        for label, (name, color) in enumerate(zip(names, colors, strict=True))
    }
    labels, prediction = (
        draw_regions(image, values, regions, zoom=ZOOM) for values in (truth, predicted)
    )
    return labels, prediction


def draw_depths(
    dataset: BaseDataset, index: int, sample: Any
) -> tuple[Picture, Picture]:
    """Draw the measured and the predicted depth in one scale of colours."""
    info = dataset.get_data_info(index)
    truth = imread(info['depth_map_path'], flag='unchanged') / MILLIMETRES
    near, far = float(truth.min()), float(truth.max())
    predicted = sample.pred_depth_map.data[0].numpy()
    pictures = (color_depth(depth, near, far) for depth in (truth, predicted))
    labels, prediction = (
        cv2.resize(picture, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_NEAREST)
        for picture in pictures
    )
    return labels, prediction


def _bgr_colors(labels: Sequence[int]) -> list[tuple[int, ...]]:
    # PALETTE is RGB, OpenCV's pictures are BGR.
    return [tuple(PALETTE[label][::-1]) for label in labels]


def _fill(polygons: list[list[float]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Rasterise COCO polygons."""
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:
        points = np.round(np.array(polygon).reshape(-1, 2)).astype(np.int32)
        cv2.fillPoly(mask, [points], 1)
    return mask.astype(bool)


TASKS = {
    task.name: task
    for task in (
        DemoTask(
            'detection',
            'mask_rcnn_pe_nano_spatial',
            {
                'box AP': 'coco/bbox_mAP',
                'box AP50': 'coco/bbox_mAP_50',
                'mask AP': 'coco/segm_mAP',
                'mask AP50': 'coco/segm_mAP_50',
            },
            'CocoMetric',
            draw_detections,
        ),
        DemoTask(
            'segmentation',
            'linear_seg_pe_nano',
            {'mIoU': 'mIoU', 'mAcc': 'mAcc', 'aAcc': 'aAcc'},
            'IoUMetric, per cent',
            draw_semantics,
        ),
        DemoTask(
            'depth',
            'dpt_depth_pe_nano',
            {'RMSE': 'rmse', 'AbsRel': 'abs_rel', 'd1': 'd1'},
            'DepthMetric, metres, every pixel, averaged over scenes',
            draw_depths,
        ),
    )
}
"""The tasks by name, in the order in which the demo trains them."""
