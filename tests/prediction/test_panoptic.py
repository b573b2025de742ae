"""Panoptic segments: the files are COCO's, read back by the panoptic metric."""

import json
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData

from pe_mm.detection import LoadPanopticAnnotations, PanopticQualityMetric
from pe_mm.prediction.classes import Classes
from pe_mm.prediction.files import OutputFolder
from pe_mm.prediction.image_pipeline import PreparedImage
from pe_mm.prediction.images import ImageFile
from pe_mm.prediction.panoptic import (
    PanopticOutput,
    color_ids,
    number_segments,
    segments_info,
)

CLASSES = Classes(
    ('cup', 'dog', 'sky'), ((200, 0, 0), (0, 200, 0), (0, 0, 200)), True, 2
)


@pytest.fixture
def predicted():
    """Two cups, a dog, sky, and a column where nothing was found."""
    ids = np.full((40, 60), 2)
    ids[5:15, 5:15] = 1000
    ids[20:30, 5:25] = 2000
    ids[20:30, 30:50] = 3001
    ids[:, 55:] = 3
    return ids


def test_number_segments__labels_and_instances__count_from_1(predicted):
    ids, labels = number_segments(predicted, 3)

    assert labels == {1: 2, 2: 0, 3: 0, 4: 1}
    assert (ids[:, 55:] == 0).all()
    assert (ids[5:15, 5:15] == 2).all()
    assert (ids[20:30, 30:50] == 4).all()
    assert ids[0, 0] == 1


def test_number_segments__nothing_found__has_none():
    ids, labels = number_segments(np.full((4, 5), 3), 3)

    assert labels == {}
    assert (ids == 0).all()


def test_segments_info__areas_and_boxes__are_those_of_the_pixels(predicted):
    ids, labels = number_segments(predicted, 3)

    infos = segments_info(ids, labels, [1, 2, 9])

    assert infos[0]['category_id'] == 9
    assert infos[2] == {
        'id': 3,
        'category_id': 1,
        'area': 200,
        'bbox': [5, 20, 20, 10],
        'iscrowd': 0,
    }
    json.dumps(infos)


def test_panoptic_output__its_own_files_as_the_truth__have_a_quality_of_100(
    tmp_path, predicted
):
    output = PanopticOutput(OutputFolder(tmp_path), CLASSES, with_instances=False)
    file = ImageFile(Path('sub/a.jpg'), 'sub/a.jpg', 'sub/a', 5)
    pixels = PixelData(sem_seg=torch.from_numpy(predicted)[None])
    sample = DetDataSample(pred_panoptic_seg=pixels)
    output.add(PreparedImage(file, np.zeros((40, 60, 3), np.uint8), {}), sample)
    assert output.finish([]) == []

    metric = PanopticQualityMetric(
        str(tmp_path / 'panoptic.json'), str(tmp_path / 'panoptic')
    )
    metric.dataset_meta = {'classes': CLASSES.names}
    metric.process({}, [{'img_id': 5, 'pred_panoptic_seg': pixels.to_dict()}])

    assert metric.evaluate(1)['coco_panoptic/PQ'] == 100
    content = json.loads((tmp_path / 'panoptic.json').read_text())
    assert content['annotations'][0]['file_name'] == 'sub/a.png'
    assert [c['isthing'] for c in content['categories']] == [1, 1, 0]
    drawn = cv2.imread(str(tmp_path / content['images'][0]['picture']))
    assert drawn.shape == (80, 120, 3)
    assert not (tmp_path / 'predictions.json').exists()


def test_color_ids__numbers_of_three_bytes__are_cocos_colours(tmp_path):
    ids = np.arange(0, 2**24, 4099, dtype=np.int32)[:4092].reshape(62, 66)

    cv2.imwrite(str(tmp_path / 'ids.png'), color_ids(ids))

    png = mmcv.imread(tmp_path / 'ids.png', channel_order='rgb')
    assert (LoadPanopticAnnotations.rgb2id(png) == ids).all()
