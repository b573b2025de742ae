"""Panoptic labels agree with the other labels of the same scenes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope

from pe_mm.data.annotations import CATEGORIES
from pe_mm.data.demo_scenes import make_demo_data
from pe_mm.data.panoptic import (
    PANOPTIC_CATEGORIES,
    panoptic_png,
    read_segment_ids,
    segment_records,
)
from pe_mm.data.renderer import Labels
from pe_mm.data.scene import CLASSES, FLOOR, STUFF, WALL


@pytest.fixture
def labels() -> Labels:
    """A 4 x 6 picture: wall over floor, two things of the class 2, a skirting board."""
    semantics = np.array([[WALL] * 6, [0] * 6, [FLOOR] * 6, [FLOOR] * 6], np.uint8)
    instances = np.zeros_like(semantics)
    semantics[1:3, 1:3] = semantics[2:4, 4] = 2
    instances[1:3, 1:3], instances[2:4, 4] = 1, 2
    return Labels(
        instances, semantics, np.ones((4, 6), np.float32), np.zeros((2, 4, 6))
    )


def test_panoptic_png__read_again__tells_class_and_thing_apart(labels, tmp_path):
    (tmp_path / 'a.png').write_bytes(panoptic_png(labels))

    ids = read_segment_ids(tmp_path / 'a.png')

    assert np.array_equal(ids % 256, labels.semantics)
    assert np.array_equal(ids // 256, labels.instances)
    # COCO's own reading of the colours: R + 256 G + 65536 B.
    assert ids[1, 1] == 2 + 256 and ids[2, 4] == 2 + 2 * 256 and ids[1, 0] == 0


def test_segment_records__of_a_small_picture__have_boxes_and_areas(labels):
    ids = labels.semantics + 256 * labels.instances.astype(np.int64)

    records = {record.pop('id'): record for record in segment_records(ids)}

    assert records == {
        FLOOR: dict(category_id=FLOOR, bbox=[0, 2, 6, 2], area=8, iscrowd=0),
        WALL: dict(category_id=WALL, bbox=[0, 0, 6, 1], area=6, iscrowd=0),
        2 + 256: dict(category_id=2, bbox=[1, 1, 2, 2], area=4, iscrowd=0),
        2 + 512: dict(category_id=2, bbox=[4, 2, 1, 2], area=2, iscrowd=0),
    }


def test_categories__things_then_stuff__follow_the_ade_labels():
    assert [c['id'] for c in PANOPTIC_CATEGORIES] == list(range(1, 16))
    assert tuple(c['name'] for c in PANOPTIC_CATEGORIES) == CLASSES + STUFF
    assert [c['isthing'] for c in PANOPTIC_CATEGORIES] == [1] * 12 + [0] * 3
    assert all('isthing' not in category for category in CATEGORIES)


def test_demo_data__segments__are_the_instances_and_the_stuff(demo_root: Path):
    folder = demo_root / 'annotations'
    instances = json.loads((folder / 'instances_training.json').read_text())
    panoptic = json.loads((folder / 'panoptic_training.json').read_text())
    assert panoptic['images'] == instances['images']

    for annotation in panoptic['annotations']:
        name, image = annotation['file_name'], annotation['image_id']
        ids = read_segment_ids(folder / 'panoptic_training' / name)
        semantics = cv2.imread(str(folder / 'training' / name), cv2.IMREAD_UNCHANGED)
        segments = annotation['segments_info']
        things = [s for s in segments if s['id'] >= 256]
        known = [a for a in instances['annotations'] if a['image_id'] == image]

        assert np.array_equal(ids % 256, semantics)
        assert {s['id'] for s in segments} == set(np.unique(ids)) - {0}
        for field in ('category_id', 'bbox', 'area'):
            order = sorted(things, key=lambda s: s['id'] // 256)
            assert [s[field] for s in order] == [a[field] for a in known]


def test_demo_data__made_without_segments__gets_them(demo_root: Path, tmp_path: Path):
    options = dict(train=2, val=1, clips=0, size=64, workers=1)
    root = make_demo_data(tmp_path / 'a', **options)
    files = sorted(root.glob('annotations/panoptic_*/*.png'))
    before = {path: path.read_bytes() for path in files}
    for path in files:
        path.unlink()

    make_demo_data(root, **options)

    assert len(files) == 3
    assert {path: path.read_bytes() for path in files} == before


def test_mmdet__coco_panoptic_dataset__reads_things_and_stuff(demo_root: Path):
    datasets = pytest.importorskip('mmdet.datasets')
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = datasets.CocoPanopticDataset(
            data_root=str(demo_root),
            ann_file='annotations/panoptic_training.json',
            data_prefix={
                'img': 'images/training/',
                'seg': 'annotations/panoptic_training/',
            },
            metainfo={
                'classes': CLASSES + STUFF,
                'thing_classes': CLASSES,
                'stuff_classes': STUFF,
            },
            pipeline=[
                {'type': 'LoadImageFromFile'},
                {'type': 'pe_mm.LoadPanopticAnnotations'},
                {'type': 'PackDetInputs'},
            ],
        )
        sample = dataset[1]['data_samples']

    facts = json.loads((demo_root / 'scenes/training/000001.json').read_text())
    truth = sample.gt_instances
    records = facts['instances']
    assert truth.labels.tolist() == [r['category_id'] - 1 for r in records]
    assert truth.masks.areas.tolist() == [r['area'] for r in records]
    raw = cv2.imread(
        str(demo_root / 'annotations/training/000001.png'), cv2.IMREAD_UNCHANGED
    )
    seen = sample.gt_sem_seg.sem_seg.numpy()[0]
    assert np.array_equal(seen, np.where(raw == 0, 255, raw - 1))
