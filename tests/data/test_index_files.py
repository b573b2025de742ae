"""The lists of whole splits are read by the tools they are made for."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image
from pycocotools.coco import COCO

from pe_mm.data.scene import CLASSES, PALETTE, STUFF


@pytest.fixture
def coco(demo_root: Path) -> COCO:
    return COCO(str(demo_root / 'annotations' / 'instances_training.json'))


def test_coco__loaded_by_pycocotools__knows_pictures_and_classes(coco: COCO) -> None:
    assert coco.getImgIds() == [1, 2, 3, 4]
    assert coco.imgs[1]['file_name'] == '000000.jpg'
    assert (coco.imgs[1]['width'], coco.imgs[1]['height']) == (96, 96)
    assert tuple(c['name'] for c in coco.loadCats(coco.getCatIds())) == CLASSES
    assert coco.getAnnIds() == list(range(1, len(coco.anns) + 1))


def test_coco__masks__agree_with_the_semantic_masks(
    demo_root: Path, coco: COCO
) -> None:
    for image_id, image in coco.imgs.items():
        name = image['file_name'].replace('.jpg', '.png')
        path = demo_root / 'annotations' / 'training' / name
        semantics = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        things = np.zeros_like(semantics)
        for record in coco.loadAnns(coco.getAnnIds(imgIds=image_id)):
            mask = coco.annToMask(record).astype(bool)
            things[mask] = record['category_id']
            assert (semantics[mask] == record['category_id']).mean() > 0.9
        seen = np.where(semantics <= len(CLASSES), semantics, 0)
        assert (things == seen).mean() > 0.98


def test_captions__loaded_by_pycocotools__are_several_per_picture(
    demo_root: Path,
) -> None:
    captions = COCO(str(demo_root / 'annotations' / 'captions_training.json'))

    for image_id in captions.getImgIds():
        texts = [c['caption'] for c in captions.loadAnns(captions.getAnnIds(image_id))]
        assert len(texts) >= 3


def test_davis__image_sets__name_clips_with_masks_of_steady_ids(
    demo_root: Path,
) -> None:
    clips = demo_root / 'clips'
    sets = {
        name: (clips / 'ImageSets' / '2017' / f'{name}.txt').read_text().split()
        for name in ('train', 'val')
    }

    assert sets == {'train': ['clip-001'], 'val': ['clip-000']}
    for name in (*sets['train'], *sets['val']):
        images = sorted((clips / 'JPEGImages' / '480p' / name).iterdir())
        masks = sorted((clips / 'Annotations' / '480p' / name).iterdir())
        assert [p.stem for p in images] == [p.stem for p in masks]
        assert images[0].name == '00000.jpg' and masks[0].name == '00000.png'
        ids = [set(np.unique(np.array(Image.open(path)))) - {0} for path in masks]
        facts = json.loads(
            (demo_root / 'scenes' / 'clips' / f'{name}.json').read_text()
        )
        assert ids[0] == {item['id'] for item in facts['objects']}
        assert all(later <= ids[0] for later in ids)
        assert json.loads((clips / 'captions.json').read_text())[name]


@pytest.fixture
def scope(request: pytest.FixtureRequest) -> Iterator[None]:
    """Resolve the types of a pipeline as a config with this default scope does."""
    with DefaultScope.overwrite_default_scope(request.param):
        yield


@pytest.mark.parametrize('scope', ['mmdet'], indirect=True)
@pytest.mark.usefixtures('scope')
def test_mmdet__coco_dataset__reads_pictures_boxes_and_masks(demo_root: Path) -> None:
    datasets = pytest.importorskip('mmdet.datasets')
    dataset = datasets.CocoDataset(
        data_root=str(demo_root),
        ann_file='annotations/instances_training.json',
        data_prefix={'img': 'images/training/'},
        metainfo={'classes': CLASSES},
        filter_cfg={'filter_empty_gt': True},
        pipeline=[
            {'type': 'LoadImageFromFile'},
            {'type': 'LoadAnnotations', 'with_bbox': True, 'with_mask': True},
            {'type': 'PackDetInputs'},
        ],
    )

    sample = dataset[0]

    facts = json.loads((demo_root / 'scenes/training/000000.json').read_text())
    truth = sample['data_samples'].gt_instances
    assert len(dataset) == 4
    assert sample['inputs'].shape == (3, 96, 96)
    assert truth.labels.tolist() == [r['category_id'] - 1 for r in facts['instances']]
    areas = [record['area'] for record in facts['instances']]
    assert truth.masks.areas.astype(int) == pytest.approx(areas, rel=0.1)


@pytest.mark.parametrize('scope', ['mmseg'], indirect=True)
@pytest.mark.usefixtures('scope')
def test_mmseg__ade_like_and_nyu_datasets__read_labels_and_metres(
    demo_root: Path,
) -> None:
    datasets = pytest.importorskip('mmseg.datasets')
    load = {'type': 'LoadImageFromFile'}
    pack = {'type': 'PackSegInputs'}
    segmentation = datasets.BaseSegDataset(
        data_root=str(demo_root),
        data_prefix={
            'img_path': 'images/training',
            'seg_map_path': 'annotations/training',
        },
        metainfo={'classes': CLASSES + STUFF, 'palette': [list(c) for c in PALETTE]},
        reduce_zero_label=True,
        pipeline=[load, {'type': 'LoadAnnotations'}, pack],
    )
    depth = datasets.NYUDataset(
        data_root=str(demo_root),
        data_prefix={'img_path': 'images/training', 'depth_map_path': 'depth/training'},
        pipeline=[
            load,
            {'type': 'LoadDepthAnnotation', 'depth_rescale_factor': 1e-3},
            pack,
        ],
    )

    labels = segmentation[0]['data_samples'].gt_sem_seg.data.numpy()[0]
    metres = depth[0]['data_samples'].gt_depth_map.data.numpy()[0]

    raw = cv2.imread(
        str(demo_root / 'annotations/training/000000.png'), cv2.IMREAD_UNCHANGED
    )
    assert len(segmentation) == len(depth) == 4
    assert np.array_equal(labels, np.where(raw == 0, 255, raw - 1))
    assert 0.5 < metres.min() < metres.max() < 30


@pytest.mark.parametrize('split', ['training', 'validation'])
def test_caption_lines__images__are_the_captions_of_the_coco_file(
    demo_root: Path, split: str
) -> None:
    text = (demo_root / 'captions' / f'{split}.jsonl').read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    coco = json.loads((demo_root / f'annotations/captions_{split}.json').read_text())

    assert [Path(line['image']).name for line in lines] == [
        image['file_name'] for image in coco['images']
    ]
    assert all((demo_root / line['image']).is_file() for line in lines)
    captions = [caption for line in lines for caption in line['captions']]
    assert captions == [record['caption'] for record in coco['annotations']]


def test_caption_lines__clips__name_the_folders_of_their_frames(
    demo_root: Path,
) -> None:
    lines, sets = [], {}
    for split, name in (('training', 'train'), ('validation', 'val')):
        text = (demo_root / 'captions' / f'clips_{split}.jsonl').read_text()
        lines += [json.loads(line) for line in text.splitlines()]
        sets[name] = [Path(json.loads(x)['frames']).name for x in text.splitlines()]
    known = json.loads((demo_root / 'clips' / 'captions.json').read_text())

    for name, listed in sets.items():
        path = demo_root / 'clips' / 'ImageSets' / '2017' / f'{name}.txt'
        assert path.read_text().split() == listed
    assert {Path(line['frames']).name: line['captions'] for line in lines} == known
    assert all(len(list((demo_root / x['frames']).iterdir())) == 3 for x in lines)


def test_object_lines__pictures__show_every_thing_with_a_margin(
    demo_root: Path,
) -> None:
    text = (demo_root / 'captions' / 'objects_training.jsonl').read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    path = demo_root / 'annotations' / 'instances_training.json'
    coco = json.loads(path.read_text())
    size = coco['images'][0]['width']
    names = {c['id']: c['name'] for c in coco['categories']}

    assert len(lines) == len(coco['annotations'])
    for line, record in zip(lines, coco['annotations'], strict=True):
        x, y, width, height = record['bbox']
        left, top, *sides = line['box']
        assert left <= x and top <= y
        assert x + width <= left + sides[0] <= size
        assert y + height <= top + sides[1] <= size
        assert max(sides) <= round(1.3 * max(width, height)) + 1
        assert names[record['category_id']] in line['captions'][0]
        assert (demo_root / line['image']).is_file()
