"""The fixed crop: image and depth stay together."""

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS, DefaultScope

from pe_mm.depth import FixedCrop


def results(height=480, width=640):
    image = np.arange(height * width * 3).reshape(height, width, 3)
    depth = image[..., 0].astype(np.float32)
    return dict(img=image, gt_depth_map=depth, seg_fields=['gt_depth_map'])


@pytest.mark.parametrize(
    ('rows', 'columns', 'corner', 'size'),
    [
        ((45, 472), (43, 608), (45, 43), (427, 565)),
        ((-352, None), (None, None), (128, 0), (352, 640)),
        ((None, 10), (630, None), (0, 630), (10, 10)),
    ],
)
def test_crop__any__is_that_of_image_and_depth(rows, columns, corner, size) -> None:
    cut = FixedCrop(rows, columns)(results())

    assert cut['img'].shape[:2] == cut['gt_depth_map'].shape == cut['img_shape'] == size
    assert cut['img'][0, 0, 0] == results()['img'][corner][0]
    np.testing.assert_array_equal(cut['img'][..., 0], cut['gt_depth_map'])


def test_crop__by_list_in_a_config__is_found_from_mmsegs_scope() -> None:
    with DefaultScope.overwrite_default_scope('mmseg'):
        crop = TRANSFORMS.build(dict(type='pe_mm.FixedCrop', rows=[0, 4]))
    assert crop(results())['img'].shape == (4, 640, 3)


def test_crop__impossible__is_named() -> None:
    with pytest.raises(ValueError, match='rows must be a pair .* got 45'):
        FixedCrop(45)
    with pytest.raises(ValueError, match=r'columns must be a pair .* got \(1, 2, 3\)'):
        FixedCrop(columns=(1, 2, 3))
    with pytest.raises(ValueError, match='nothing is left of small.jpg, 30 x 40'):
        FixedCrop((45, 472))(dict(results(30, 40), img_path='small.jpg'))
