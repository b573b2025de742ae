"""Label maps: numbers that come back equal, areas, names."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from pe_mm.prediction.classes import Classes
from pe_mm.prediction.files import OutputFolder
from pe_mm.prediction.image_pipeline import PreparedImage
from pe_mm.prediction.images import ImageFile
from pe_mm.prediction.segmentation import SegmentationOutput


def classes_of(number, named=True):
    names = tuple(f'class {label}' for label in range(number))
    return Classes(names, ((200, 0, 0),) * number, named, number)


def write(folder, classes, labels):
    output = SegmentationOutput(OutputFolder(folder), classes)
    file = ImageFile(Path('sub/a.jpg'), 'sub/a.jpg', 'sub/a', 1)
    image = PreparedImage(file, np.zeros((*labels.shape, 3), np.uint8), {})
    pixels = PixelData(data=torch.from_numpy(labels)[None])
    output.add(image, SegDataSample(pred_sem_seg=pixels))
    warnings = output.finish([])
    content = json.loads((folder / 'predictions.json').read_text())
    png = cv2.imread(str(folder / 'labels' / 'sub' / 'a.png'), cv2.IMREAD_UNCHANGED)
    return content, png, warnings


@pytest.mark.parametrize(
    ('number', 'dtype'), [(2, np.uint8), (255, np.uint8), (256, np.uint16)]
)
def test_segmentation_output__labels__come_back_equal(tmp_path, number, dtype):
    labels = np.arange(30 * 40).reshape(30, 40) % number

    _, png, _ = write(tmp_path, classes_of(number), labels)

    assert png.dtype == dtype
    assert (png == labels).all()


def test_segmentation_output__areas__are_counted_with_the_largest_first(tmp_path):
    labels = np.zeros((30, 40), np.int64)
    labels[:20] = 2

    content, _, warnings = write(tmp_path, classes_of(3), labels)

    assert warnings == []
    (image,) = content['images']
    assert image['areas'] == [
        {'class': 2, 'name': 'class 2', 'pixels': 800},
        {'class': 0, 'name': 'class 0', 'pixels': 400},
    ]
    assert (image['width'], image['height']) == (40, 30)
    assert image['file_name'] == 'sub/a.jpg'
    assert image['labels'] == 'labels/sub/a.png'
    assert content['classes'][1] == {
        'class': 1,
        'name': 'class 1',
        'color': [200, 0, 0],
    }
    assert cv2.imread(str(tmp_path / image['picture'])).shape == (60, 80, 3)


def test_segmentation_output__unknown_names__are_warned_of(tmp_path):
    _, _, (warning,) = write(tmp_path, classes_of(2, named=False), np.eye(9, dtype=int))

    assert 'names the 2 classes' in warning
