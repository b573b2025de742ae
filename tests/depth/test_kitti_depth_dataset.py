"""KITTI's lists: records, missing depth, units, and what a user gets wrong."""

import cv2
import numpy as np
import pytest
from depth_data import KITTI_SIZES, write_kitti
from mmcv.transforms import LoadImageFromFile
from mmengine.registry import DATASETS, DefaultScope
from mmseg.datasets.transforms import LoadDepthAnnotation

from pe_mm.depth import KITTIDepthDataset

LOAD = [
    LoadImageFromFile(),
    LoadDepthAnnotation(depth_rescale_factor=1 / 256),
]


@pytest.fixture
def root(tmp_path):
    write_kitti(tmp_path)
    return tmp_path


def dataset_of(root, ann_file='kitti_eigen_test.txt', **kwargs):
    return KITTIDepthDataset(ann_file, data_root=str(root), **kwargs)


def test_dataset__list__gives_a_record_per_line_with_depth_in_order(root) -> None:
    dataset = dataset_of(root)
    lines = (root / 'kitti_eigen_test.txt').read_text().splitlines()
    wanted = [line.split() for line in lines if 'None' not in line]

    records = [dataset.get_data_info(i) for i in range(len(dataset))]

    assert [r['img_path'] for r in records] == [f'{root}/input/{w[0]}' for w in wanted]
    assert [r['depth_map_path'] for r in records] == [
        f'{root}/gt_depth/{w[1]}' for w in wanted
    ]
    assert len(records) == 4


def test_dataset__images_without_depth__are_counted_in_the_log(
    root, monkeypatch
) -> None:
    logged = []
    monkeypatch.setattr(
        'pe_mm.depth.kitti_depth_dataset.print_log',
        lambda text, logger: logged.append(text),
    )
    dataset_of(root)

    path = root / 'kitti_eigen_test.txt'
    assert logged == [f'{path}: 2 of 6 images have no depth (None) and are left out']


def test_dataset__with_mmsegs_loading__gives_metres_and_0_where_none_is(root) -> None:
    results = dataset_of(root, pipeline=LOAD)[0]

    units = cv2.imread(results['depth_map_path'], cv2.IMREAD_UNCHANGED)
    depth = results['gt_depth_map']
    assert results['img'].shape == (*KITTI_SIZES[0], 3)
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, units / np.float32(256))
    assert (depth == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert depth[depth > 0].min() >= 1 and depth.max() <= 9.01


def test_dataset__from_mmsegs_scope__is_found() -> None:
    with DefaultScope.overwrite_default_scope('mmseg'):
        assert DATASETS.get('pe_mm.KITTIDepthDataset') is KITTIDepthDataset


def test_dataset__missing_list_or_folder__is_named(root) -> None:
    with pytest.raises(FileNotFoundError, match='missing.txt does not exist; KITTI'):
        dataset_of(root, 'missing.txt')
    with pytest.raises(FileNotFoundError, match='rgb does not exist.*gt_depth'):
        dataset_of(root, data_prefix=dict(img_path='rgb'))
    (root / 'gt_depth').rename(root / 'depth')
    with pytest.raises(FileNotFoundError, match='gt_depth does not exist'):
        dataset_of(root)


def test_dataset__depth_that_is_listed_but_missing__is_named_when_read(root) -> None:
    dataset = dataset_of(root, pipeline=LOAD)
    path = dataset.get_data_info(0)['depth_map_path']
    (root / path).unlink()

    with pytest.raises(FileNotFoundError, match=path):
        dataset[0]


def test_dataset__broken_list__is_named_with_its_line(root) -> None:
    (root / 'list.txt').write_text('a.png b.png 1\n\na.png\n')
    with pytest.raises(ValueError, match="line 3: expected .* got 'a.png'"):
        dataset_of(root, 'list.txt')
    (root / 'list.txt').write_text('a.png None 1\n')
    with pytest.raises(ValueError, match='names no image with depth'):
        dataset_of(root, 'list.txt')
