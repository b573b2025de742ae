"""Depth maps: units, what is clipped, statistics."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from pe_mm.prediction.depth import DepthOutput, to_units
from pe_mm.prediction.files import OutputFolder
from pe_mm.prediction.image_pipeline import PreparedImage
from pe_mm.prediction.images import ImageFile


def write(folder, depth, scale=1000.0):
    output = DepthOutput(OutputFolder(folder), scale)
    file = ImageFile(Path('a.jpg'), 'a.jpg', 'a', 1)
    image = PreparedImage(file, np.zeros((*depth.shape, 3), np.uint8), {})
    pixels = PixelData(data=torch.from_numpy(depth)[None])
    output.add(image, SegDataSample(pred_depth_map=pixels))
    warnings = output.finish([])
    return json.loads((folder / 'predictions.json').read_text()), warnings


@pytest.mark.parametrize(
    ('metres', 'scale', 'units'),
    [
        (1.2344, 1000, 1234),
        (1.2346, 1000, 1235),
        (80.0, 256, 20480),
        (65.535, 1000, 65535),
        (100.0, 1000, 65535),
        (0.0, 1000, 1),
        (-1.0, 1000, 1),
        (np.nan, 1000, 0),
        (np.inf, 1000, 0),
    ],
)
def test_to_units__metres__are_rounded_and_clipped(metres, scale, units):
    assert to_units(np.array([[metres]]), scale).tolist() == [[units]]


def test_depth_output__png_and_statistics__are_those_of_the_map(tmp_path):
    depth = np.linspace(1, 4, 31 * 41, dtype=np.float32).reshape(31, 41)

    content, warnings = write(tmp_path, depth)

    assert warnings == []
    png = cv2.imread(str(tmp_path / 'depth' / 'a.png'), cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16
    np.testing.assert_allclose(png / 1000, depth, rtol=0, atol=0.5e-3 + 1e-6)
    (image,) = content['images']
    assert content['units_per_metre'] == 1000
    assert [image[key] for key in ('min', 'median', 'max')] == pytest.approx(
        [1, 2.5, 4]
    )
    assert (image['width'], image['height']) == (41, 31)
    assert (tmp_path / image['picture']).is_file()


def test_depth_output__beyond_16_bits__is_warned_of(tmp_path):
    depth = np.full((8, 9), 70.0)

    _, (warning,) = write(tmp_path / '1000', depth)
    _, none = write(tmp_path / '256', depth, scale=256)

    assert warning.startswith('depth beyond 65.535 m was clipped in 1 image; a ')
    assert none == []


def test_depth_output__no_finite_depth__has_no_statistics(tmp_path):
    content, _ = write(tmp_path, np.full((8, 9), np.nan))

    assert content['images'][0]['median'] is None
    assert not cv2.imread(str(tmp_path / 'depth' / 'a.png'), -1).any()
