"""Categories as COCO numbers them."""

from mmdet.datasets import CocoDataset, CocoPanopticDataset

from pe_mm.prediction.classes import Classes
from pe_mm.prediction.coco import categories_json, category_ids


def test_category_ids__cocos_classes__have_cocos_numbers():
    numbers = dict(
        zip(
            CocoDataset.METAINFO['classes'],
            category_ids(CocoDataset.METAINFO['classes']),
            strict=True,
        )
    )

    # https://cocodataset.org: stop sign 13 follows fire hydrant 11.
    assert numbers['person'] == 1
    assert (numbers['fire hydrant'], numbers['stop sign']) == (11, 13)
    assert (numbers['potted plant'], numbers['bed']) == (64, 65)
    assert (numbers['tv'], numbers['toothbrush']) == (72, 90)


def test_category_ids__panoptic_classes__have_cocos_numbers():
    names = CocoPanopticDataset.METAINFO['classes']

    numbers = dict(zip(names, category_ids(tuple(names)), strict=True))

    assert (numbers['person'], numbers['toothbrush']) == (1, 90)
    assert (numbers['banner'], numbers['blanket'], numbers['bridge']) == (92, 93, 95)
    assert (numbers['tree-merged'], numbers['rug-merged']) == (184, 200)
    assert len(set(numbers.values())) == 133


def test_category_ids__other_classes__count_from_1():
    assert category_ids(('cat', 'dog')) == [1, 2]


def test_categories_json__things_and_stuff__are_told_apart():
    classes = Classes(('cup', 'sky'), ((1, 2, 3), (4, 5, 6)), named=True, num_things=1)

    assert categories_json(classes) == [
        {'id': 1, 'name': 'cup', 'isthing': 1, 'color': [1, 2, 3]},
        {'id': 2, 'name': 'sky', 'isthing': 0, 'color': [4, 5, 6]},
    ]
