"""Colours of COCO's panoptic PNGs become masks and labels."""

import cv2
import numpy as np
import pytest

from pe_mm.detection.load_panoptic_annotations import LoadPanopticAnnotations


@pytest.fixture
def results(tmp_path):
    ids = np.array([[70000, 70000, 300], [0, 1, 1]])
    colors = np.stack([ids // 65536, ids // 256 % 256, ids % 256], axis=-1)
    cv2.imwrite(str(tmp_path / 'a.png'), colors.astype(np.uint8))
    return {
        'ori_shape': (2, 3),
        'seg_map_path': str(tmp_path / 'a.png'),
        'instances': [{'bbox': [0, 0, 2, 1], 'bbox_label': 4, 'ignore_flag': 0}],
        'segments_info': [
            {'id': 70000, 'category': 4, 'is_thing': True},
            {'id': 300, 'category': 90, 'is_thing': False},
            {'id': 1, 'category': 91, 'is_thing': False},
        ],
    }


def test_transform__large_ids__give_masks_of_things_and_a_byte_map_of_all(results):
    loaded = LoadPanopticAnnotations().transform(results)

    assert loaded['gt_masks'].masks.tolist() == [[[1, 1, 0], [0, 0, 0]]]
    assert loaded['gt_seg_map'].tolist() == [[4, 4, 90], [255, 91, 91]]
    assert loaded['gt_seg_map'].dtype == np.uint8
    assert loaded['gt_bboxes_labels'].tolist() == [4]


def test_transform__without_map__leaves_it_out(results):
    loaded = LoadPanopticAnnotations(with_seg=False).transform(results)

    assert 'gt_seg_map' not in loaded
    assert len(loaded['gt_masks']) == 1
