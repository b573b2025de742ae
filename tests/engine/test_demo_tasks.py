"""Pictures of what a demo learned: labels drawn as they are, predictions as given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from pe_mm.cli.demo import TASKS as NAMES
from pe_mm.data import PALETTE, make_demo_data
from pe_mm.engine.demo_tasks import TASKS, ZOOM

DEMO = Path(__file__).parents[2] / 'configs' / 'demo'
SIZE = 96


@pytest.fixture(scope='module')
def demo_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('demo') / 'data'
    return make_demo_data(root, train=1, val=2, clips=0, size=SIZE, workers=1)


def dataset_of(task, root):
    cfg = Config.fromfile(DEMO / f'{TASKS[task].config}.py')
    init_default_scope(cfg.default_scope)
    return DATASETS.build({**cfg.test_dataloader.dataset, 'data_root': str(root)})


def test_tasks__names_and_configs__are_those_of_the_command():
    assert tuple(TASKS) == NAMES
    assert all((DEMO / f'{task.config}.py').is_file() for task in TASKS.values())


@pytest.mark.parametrize('task', TASKS)
def test_tasks__metrics__are_what_the_configs_evaluators_give(task):
    evaluator = Config.fromfile(DEMO / f'{TASKS[task].config}.py').test_evaluator

    given = {
        'CocoMetric': ('coco/bbox_mAP', 'coco/segm_mAP'),
        'IoUMetric': ('mIoU', 'mAcc', 'aAcc'),
        'pe_mm.DepthMetric': evaluator.get('depth_metrics', ()),
    }[evaluator.type]
    assert all(key.removesuffix('_50') in given for key in TASKS[task].metrics.values())


def test_draw_depths__one_scale_of_colours__shows_a_prediction_that_is_off(demo_root):
    dataset = dataset_of('depth', demo_root)
    truth = dataset[1]['data_samples'].gt_depth_map.data
    sample = SegDataSample(pred_depth_map=PixelData(data=truth))

    labels, predicted = TASKS['depth'].draw(dataset, 1, sample)

    assert labels.shape == (SIZE * ZOOM, SIZE * ZOOM, 3)
    # float32 may round a depth into the next of the 256 colours.
    assert np.abs(labels.astype(int) - predicted).max() <= 10
    nearer = SegDataSample(pred_depth_map=PixelData(data=truth * 0.5))
    again, predicted = TASKS['depth'].draw(dataset, 1, nearer)
    assert np.array_equal(again, labels)
    assert not np.array_equal(predicted, labels)


def test_draw_semantics__labels_as_prediction__is_the_same_picture(demo_root):
    dataset = dataset_of('segmentation', demo_root)
    truth = dataset[0]['data_samples'].gt_sem_seg.data
    floor = dataset.metainfo['classes'].index('floor')
    pixels = truth[0] == floor
    assert pixels.any()

    def draw(labels):
        sample = SegDataSample(pred_sem_seg=PixelData(data=labels))
        return TASKS['segmentation'].draw(dataset, 0, sample)

    labels, predicted = draw(truth)
    rug = dataset.metainfo['classes'].index('rug')
    _, changed = draw(truth.where(truth != floor, rug))

    assert labels.shape == (SIZE * ZOOM, SIZE * ZOOM, 3)
    assert np.array_equal(labels, predicted)
    differs = (labels != changed).any(-1)
    large = pixels.numpy().repeat(ZOOM, 0).repeat(ZOOM, 1)
    assert differs[large].mean() > 0.5


def test_draw_detections__scores__only_confident_ones_are_drawn(demo_root):
    dataset = dataset_of('detection', demo_root)
    masks = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    masks[0, :40, :40] = True
    masks[1, 50:, 50:] = True
    found = InstanceData(
        bboxes=torch.tensor([[0.0, 0.0, 40.0, 40.0], [50.0, 50.0, 96.0, 96.0]]),
        scores=torch.tensor([0.9, 0.2]),
        labels=torch.tensor([3, 5]),
        masks=masks,
    )

    def draw(instances):
        return TASKS['detection'].draw(
            dataset, 0, type('Sample', (), {'pred_instances': instances})
        )

    labels, predicted = draw(found)
    plain = draw(found[:0])[1]

    assert labels.shape == plain.shape == (SIZE * ZOOM, SIZE * ZOOM, 3)
    assert np.array_equal(predicted[150:, 150:], plain[150:, 150:])
    inside = predicted[50:70, 20:60].astype(float)
    expected = 0.6 * plain[50:70, 20:60] + 0.4 * np.array(PALETTE[3][::-1])
    assert np.abs(inside - expected).max() <= 1
