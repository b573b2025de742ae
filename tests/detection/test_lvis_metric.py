"""LVIS's evaluation, on cases small enough to be computed by hand."""

import builtins
import json
from pathlib import Path

import lvis
import numpy as np
import pytest
import torch
from mmdet.registry import METRICS

from pe_mm.detection.lvis_metric import INSTALL_LVIS, LVISMetric, check_lvis

# Frequency of every category; the ids have gaps, as label numbers do not.
CATEGORIES = {2: 'r', 3: 'c', 5: 'f', 8: 'f'}
LABELS = {number: label for label, number in enumerate(CATEGORIES)}
# Position of the object in an image of one, x1, y1, x2, y2.
PLACE, ELSEWHERE = [10, 10, 30, 30], [40, 40, 60, 60]


@pytest.fixture
def np_float(monkeypatch):
    """Let PyPI's lvis run: numpy 1.24 removed the name that it uses."""
    monkeypatch.setattr(np, 'float', float, raising=False)


def write_truth(path, objects, *, absent=(), partial=(), num_images=3):
    """Write an annotation file of images 1, 2, ... from (image, category, box)."""
    annotations = [
        {'id': number, 'image_id': image, 'category_id': category}
        | {'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': (x2 - x1) * (y2 - y1)}
        | {'segmentation': [[x1, y1, x2, y1, x2, y2, x1, y2]]}
        for number, (image, category, (x1, y1, x2, y2)) in enumerate(objects, start=1)
    ]
    images = [
        {'id': image, 'height': 64, 'width': 64}
        | {'neg_category_ids': [c for i, c in absent if i == image]}
        | {'not_exhaustive_category_ids': [c for i, c in partial if i == image]}
        for image in range(1, num_images + 1)
    ]
    categories = [
        {'id': number, 'name': f'thing {number}', 'frequency': frequency}
        for number, frequency in CATEGORIES.items()
    ]
    file = {'images': images, 'categories': categories, 'annotations': annotations}
    path.write_text(json.dumps(file))
    return str(path)


def evaluate(ann_file, detections, *, metric='bbox', num_images=3, masks=None):
    """Evaluate (image, category, box, score) with the metric built from a config."""
    evaluator = METRICS.build(
        {'type': 'pe_mm.LVISMetric', 'ann_file': ann_file, 'metric': metric}
    )
    for image in range(1, num_images + 1):
        found = [detection for detection in detections if detection[0] == image]
        instances = {
            'labels': torch.tensor([LABELS[d[1]] for d in found], dtype=torch.long),
            'bboxes': torch.tensor([d[2] for d in found]).float().reshape(-1, 4),
            'scores': torch.tensor([d[3] for d in found]).float(),
        }
        if masks is not None:
            instances['masks'] = masks[image]
        sample = {'img_id': image, 'ori_shape': (64, 64), 'pred_instances': instances}
        evaluator.process({}, [sample])
    return evaluator.evaluate(size=num_images)


def test_metric__one_category_of_each_frequency__has_ap_by_hand(tmp_path, np_float):
    truth = [(1, 2, PLACE), (1, 3, PLACE), (2, 3, PLACE), (1, 5, PLACE), (2, 5, PLACE)]
    ann_file = write_truth(tmp_path / 'lvis.json', truth)
    detections = [
        # Rare: found. IoU 0.64 with the object: right up to threshold 0.6, 3 of 10.
        (1, 2, [10, 10, 26, 26], 0.9),
        # Common: one of two found, recall 0 to 0.5 of 101 points at precision 1.
        (1, 3, PLACE, 0.8),
        # Frequent: a wrong one first, then both: precision 2/3 at every recall.
        (1, 5, ELSEWHERE, 0.9),
        (1, 5, PLACE, 0.8),
        (2, 5, PLACE, 0.7),
    ]

    result = evaluate(ann_file, detections)

    rare, common, frequent = 0.3, 51 / 101, 2 / 3
    expected = {
        'AP': (rare + common + frequent) / 3,
        'AP50': (1 + common + frequent) / 3,
        'AP75': (0 + common + frequent) / 3,
        # 20 x 20 pixels are small.
        'APs': (rare + common + frequent) / 3,
        'APm': -1,
        'APl': -1,
        'APr': rare,
        'APc': common,
        'APf': frequent,
    }
    # mmdet rounds to three digits.
    assert result == {
        f'lvis/bbox_{name}': pytest.approx(value, abs=5.1e-4)
        for name, value in expected.items()
    }


@pytest.mark.parametrize(
    ('case', 'ap'),
    [
        pytest.param({}, 1, id='nothing known: left out'),
        pytest.param({'absent': [(2, 5)]}, 0.5, id='known to be absent: wrong'),
    ],
)
def test_metric__detection_in_an_image_without_the_category__counts_if_it_is_absent(
    tmp_path, np_float, case, ap
):
    ann_file = write_truth(tmp_path / 'lvis.json', [(1, 5, PLACE)], **case)

    # The first is in image 2, of which only `absent` says anything.
    result = evaluate(ann_file, [(2, 5, PLACE, 0.9), (1, 5, PLACE, 0.8)])

    assert result['lvis/bbox_APf'] == ap


@pytest.mark.parametrize(
    ('case', 'ap'),
    [
        pytest.param({}, 0.5, id='all annotated: wrong'),
        pytest.param({'partial': [(1, 5)]}, 1, id='not all annotated: left out'),
    ],
)
def test_metric__second_object_in_an_image__counts_if_all_are_annotated(
    tmp_path, np_float, case, ap
):
    ann_file = write_truth(tmp_path / 'lvis.json', [(1, 5, PLACE)], **case)

    result = evaluate(ann_file, [(1, 5, ELSEWHERE, 0.9), (1, 5, PLACE, 0.8)])

    assert result['lvis/bbox_APf'] == ap


@pytest.mark.parametrize(
    ('others', 'ap'), [(299, 1 / 300), (300, 0)], ids=['300th', '301st']
)
def test_metric__object_found_last_of_many__counts_among_300_detections(
    tmp_path, np_float, others, ap
):
    ann_file = write_truth(tmp_path / 'lvis.json', [(1, 5, PLACE)])
    detections = [(1, 5, ELSEWHERE, 0.5 + i / 1000) for i in range(others)]

    result = evaluate(ann_file, [*detections, (1, 5, PLACE, 0.4)])

    assert result['lvis/bbox_AP'] == pytest.approx(ap, abs=5.1e-4)


def test_metric__masks__have_their_own_area_and_overlap(tmp_path, np_float):
    # An L of 40 x 40 pixels with arms of 8: small, while its box is of medium size.
    shape = torch.zeros(64, 64, dtype=torch.bool)
    shape[10:50, 10:18] = shape[42:50, 10:50] = True
    polygon = [10, 10, 18, 10, 18, 42, 50, 42, 50, 50, 10, 50]
    box = [10, 10, 50, 50]
    ann_file = write_truth(tmp_path / 'lvis.json', [(1, 5, box)])
    file = json.loads((tmp_path / 'lvis.json').read_text())
    file['annotations'][0] |= {'segmentation': [polygon], 'area': int(shape.sum())}
    (tmp_path / 'lvis.json').write_text(json.dumps(file))
    none = torch.zeros(0, 64, 64, dtype=torch.bool)
    # The first covers another place with the same box, and is the more certain one.
    masks = {1: torch.stack([shape.flip(1), shape]), 2: none, 3: none}

    result = evaluate(
        ann_file,
        [(1, 5, box, 0.9), (1, 5, box, 0.8)],
        metric=['bbox', 'segm'],
        masks=masks,
    )

    assert result['lvis/bbox_AP'] == 1
    # By the area of its box the wrong mask would be left out among small objects.
    assert result['lvis/segm_AP'] == result['lvis/segm_APs'] == 0.5
    assert result['lvis/segm_APm'] == -1


@pytest.mark.skipif(
    hasattr(np, 'float') or 'np.float)' not in Path(lvis.eval.__file__).read_text(),
    reason='this lvis runs with this numpy',
)
def test_metric__installed_lvis_fails__says_what_and_how_to_mend_it(tmp_path):
    ann_file = write_truth(tmp_path / 'lvis.json', [])

    with pytest.raises(ImportError) as error:
        LVISMetric(ann_file)

    assert str(error.value) == (
        f'lvis 0.5.3 does not run with numpy {np.__version__} (AttributeError: module '
        "'numpy' has no attribute 'float'). PyPI's release is older than numpy 1.24; "
        f'install lvis from its repository: {INSTALL_LVIS}'
    )


def test_check_lvis__not_installed__says_how_to_install_it(monkeypatch):
    real_import = builtins.__import__

    def without_lvis(name, *args, **kwargs):
        if name == 'lvis':
            raise ModuleNotFoundError("No module named 'lvis'", name='lvis')
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without_lvis)

    with pytest.raises(ImportError, match="No module named 'lvis'. Install.*git+") as e:
        check_lvis()

    assert INSTALL_LVIS in str(e.value)


def test_metric__annotations_of_coco__are_refused(tmp_path, np_float):
    path = tmp_path / 'coco.json'
    path.write_text(
        json.dumps(
            {'images': [{'id': 1}], 'categories': [{'id': 1}], 'annotations': []}
        )
    )

    with pytest.raises(
        ValueError,
        match=r'coco\.json has no neg_category_ids, not_exhaustive_category_ids, '
        r'frequency: .* mmdet\.CocoMetric',
    ):
        LVISMetric(str(path))


def test_metric__format_only__needs_no_lists(tmp_path, np_float):
    path = tmp_path / 'test.json'
    path.write_text(
        json.dumps(
            {'images': [{'id': 1}], 'categories': [{'id': 7}], 'annotations': []}
        )
    )
    metric = LVISMetric(
        str(path), format_only=True, outfile_prefix=str(tmp_path / 'results')
    )
    instances = {
        'labels': torch.tensor([0]),
        'bboxes': torch.tensor([[1.0, 2, 4, 6]]),
        'scores': torch.tensor([0.5]),
    }
    metric.process(
        {}, [{'img_id': 1, 'ori_shape': (8, 8), 'pred_instances': instances}]
    )

    assert metric.evaluate(size=1) == {}
    assert json.loads((tmp_path / 'results.bbox.json').read_text()) == [
        {'image_id': 1, 'bbox': [1, 2, 3, 4], 'score': 0.5, 'category_id': 7}
    ]


@pytest.mark.parametrize('metric', ['proposal', ['bbox', 'proposal']])
def test_metric__proposal__names_the_one_that_works(tmp_path, metric):
    with pytest.raises(ValueError, match="use 'proposal_fast'"):
        LVISMetric(str(tmp_path / 'lvis.json'), metric)
