"""mmseg's NYUv2 data set in its real layout, as our configs use it."""

import cv2
import numpy as np
import pytest
from depth_data import write_nyu
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets import NYUDataset
from mmseg.datasets.transforms import LoadDepthAnnotation

LOAD = [
    LoadImageFromFile(),
    LoadDepthAnnotation(depth_rescale_factor=1e-3),
]
TEST = dict(img_path='images/test', depth_map_path='annotations/test')


def dataset_of(root, **kwargs):
    return NYUDataset(data_root=str(root), data_prefix=TEST, pipeline=LOAD, **kwargs)


def test_dataset__millimetres__become_metres(tmp_path) -> None:
    write_nyu(tmp_path)
    dataset = dataset_of(tmp_path)
    results = dataset[1]

    units = cv2.imread(results['depth_map_path'], cv2.IMREAD_UNCHANGED)
    assert len(dataset) == 2
    assert results['img_path'].endswith('images/test/kitchen_0002.jpg')
    assert results['depth_map_path'].endswith('annotations/test/kitchen_0002.png')
    np.testing.assert_allclose(results['gt_depth_map'], units / 1000, rtol=1e-6)


def test_dataset__missing_folder_or_depth__is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match='images/test'):
        dataset_of(tmp_path)
    write_nyu(tmp_path)
    (tmp_path / 'annotations/test/kitchen_0001.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'annotations/test/kitchen_0001.png'):
        dataset_of(tmp_path)[0]
