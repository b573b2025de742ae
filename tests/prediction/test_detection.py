"""Instances as COCO's results, read back by pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools import mask as mask_api
from pycocotools.coco import COCO

from pe_mm.prediction.classes import Classes
from pe_mm.prediction.detection import DetectionOutput, coco_results, draw_found
from pe_mm.prediction.files import OutputFolder
from pe_mm.prediction.image_pipeline import PreparedImage
from pe_mm.prediction.images import ImageFile
from pe_mm.prediction.output import SkippedImage

CLASSES = Classes(('cup', 'dog'), ((200, 0, 0), (0, 200, 0)), True, 2)


def instances(**changes):
    masks = torch.zeros(2, 40, 60, dtype=torch.bool)
    masks[0, 10:20, 5:25] = True
    masks[1, 30:, 40:] = True
    fields = {
        'bboxes': torch.tensor([[5.0, 10.0, 25.5, 20.0], [40.0, 30.0, 60.0, 40.0]]),
        'labels': torch.tensor([1, 0]),
        'scores': torch.tensor([0.9, 0.01]),
        'masks': masks,
        **changes,
    }
    return InstanceData(**{k: v for k, v in fields.items() if v is not None})


def prepared(name, number):
    file = ImageFile(Path(name), name, name.partition('.')[0], number)
    return PreparedImage(file, np.zeros((40, 60, 3), np.uint8), {})


def test_coco_results__boxes_and_masks__are_as_coco_defines_them():
    results = coco_results(instances(), 7, [3, 17])

    assert [r['image_id'] for r in results] == [7, 7]
    assert [r['category_id'] for r in results] == [17, 3]
    assert results[0]['bbox'] == [5.0, 10.0, 20.5, 10.0]
    assert results[0]['score'] == pytest.approx(0.9)
    for result, mask in zip(results, instances().masks, strict=True):
        assert result['segmentation']['size'] == [40, 60]
        assert (mask_api.decode(result['segmentation']) == mask.numpy()).all()
    json.dumps(results)


@pytest.mark.parametrize('boxes', [None, torch.zeros(2, 4)])
def test_coco_results__masks_without_boxes__are_boxed(boxes):
    results = coco_results(instances(bboxes=boxes), 1, [1, 2])

    assert [r['bbox'] for r in results] == [[5, 10, 20, 10], [40, 30, 20, 10]]


def test_coco_results__boxes_alone__have_no_segmentation():
    results = coco_results(instances(masks=None), 1, [1, 2])

    assert len(results) == 2
    assert not any('segmentation' in result for result in results)


def test_coco_results__nothing_found__is_an_empty_list():
    assert coco_results(instances()[:0], 1, [1, 2]) == []


def test_detection_output__two_images__are_read_by_pycocotools(tmp_path):
    output = DetectionOutput(OutputFolder(tmp_path), CLASSES, score_thr=0.3)
    for name, number in (('b.png', 2), ('a.png', 1)):
        output.add(prepared(name, number), DetDataSample(pred_instances=instances()))

    warnings = output.finish([SkippedImage('c.png', 'damaged')])

    coco = COCO(tmp_path / 'images.json')
    results = coco.loadRes(str(tmp_path / 'predictions.json'))
    assert warnings == []
    assert [image['file_name'] for image in coco.dataset['images']] == [
        'a.png',
        'b.png',
    ]
    assert [a['image_id'] for a in results.dataset['annotations']] == [1, 1, 2, 2]
    assert [c['name'] for c in coco.loadCats([1, 2])] == ['cup', 'dog']
    # What is not drawn is written all the same.
    assert len(results.getAnnIds(catIds=[1])) == 2
    assert coco.dataset['skipped'] == [{'file_name': 'c.png', 'reason': 'damaged'}]
    assert (tmp_path / coco.imgs[1]['picture']).is_file()


def test_draw_found__scores__choose_what_is_drawn():
    image = np.zeros((40, 60, 3), np.uint8)

    both = draw_found(image, instances(), CLASSES, 0.0)
    sure = draw_found(image, instances(), CLASSES, 0.3)

    inside = (70, 110)  # of the second instance, in the picture that is twice as large
    assert both[inside].tolist() == [0, 0, 80]
    assert sure[inside].tolist() == [0, 0, 0]
    assert sure[30, 40].tolist() == both[30, 40].tolist() == [0, 80, 0]


def test_draw_found__overlap__has_the_surest_on_top():
    masks = torch.ones(2, 40, 60, dtype=torch.bool)
    boxes = torch.tensor([[0.0, 0, 60, 40]] * 2)
    found = instances(masks=masks, bboxes=boxes, scores=torch.tensor([0.9, 0.8]))

    drawn = draw_found(np.zeros((40, 60, 3), np.uint8), found, CLASSES, 0.3)

    blue, green, red = drawn[60, 60].tolist()
    assert green > red > blue
