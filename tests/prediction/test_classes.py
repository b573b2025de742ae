"""Where names and colours of classes come from."""

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from pe_mm.prediction.classes import read_classes


def model_of(number, **others):
    """Return a model with so many classes, and other parts that have theirs."""
    model = nn.Module()
    for name, count in {'bbox_head': number, **others}.items():
        part = nn.Identity()
        part.num_classes = count
        model.add_module(name, part)
    return model


def config_of(scope, **dataset):
    init_default_scope(scope)
    dataset = {'pipeline': [{'type': 'X'}], **dataset}
    return Config({'test_dataloader': {'dataset': dataset}})


NOTHING = config_of('mmdet')


def test_read_classes__checkpoint__goes_before_the_config():
    cfg = config_of('mmdet', metainfo={'classes': ('x', 'y')})
    meta = {'dataset_meta': {'CLASSES': ['a', 'b'], 'PALETTE': [[1, 2, 3], [4, 5, 6]]}}

    classes = read_classes(model_of(2), cfg, meta)

    assert classes.names == ('a', 'b')
    assert classes.colors == ((1, 2, 3), (4, 5, 6))
    assert classes.bgr(1) == (6, 5, 4)
    assert classes.named
    assert len(classes) == 2


def test_read_classes__checkpoint_of_mmdet_2__is_understood():
    classes = read_classes(model_of(2), NOTHING, {'CLASSES': ('a', 'b')})

    assert classes.names == ('a', 'b')


def test_read_classes__config__goes_before_the_type_of_the_data_set():
    cfg = config_of(
        'mmseg',
        type='CityscapesDataset',
        metainfo={'classes': ['n'] * 19, 'palette': [[9, 9, 9]] * 19},
    )

    classes = read_classes(model_of(19), cfg, {})

    assert classes.names == ('n',) * 19
    assert classes.colors == ((9, 9, 9),) * 19


def test_read_classes__type_of_the_data_set__is_the_last_source():
    cfg = config_of('mmseg', type='CityscapesDataset')

    classes = read_classes(model_of(19), cfg, {})

    assert classes.names[:2] == ('road', 'sidewalk')
    assert classes.colors[0] == (128, 64, 128)


def test_read_classes__names_of_another_number__are_not_the_models():
    cfg = config_of('mmdet', type='CocoDataset')  # of 80 classes

    classes = read_classes(model_of(12), cfg, {})

    assert not classes.named
    assert classes.names == tuple(str(label) for label in range(12))


def test_read_classes__classes_of_other_parts__are_not_the_models():
    cfg = config_of('mmdet', type='CocoDataset')
    model = model_of(80, rpn_head=1, semantic_head=183)

    classes = read_classes(model, cfg, {'dataset_meta': {'classes': ['cat']}})

    assert classes.named
    assert len(classes) == 80


@pytest.mark.parametrize(
    'place', ['decode_head', 'decode_head.1', 'roi_head.bbox_head.2', 'panoptic_head']
)
def test_read_classes__head_of_any_kind__tells_how_many_there_are(place):
    model = inner = nn.Module()
    for name in place.split('.'):
        inner.add_module(name, nn.Module())
        inner = inner.get_submodule(name)
    inner.num_classes = 7

    classes = read_classes(model, NOTHING, {})

    assert classes.names == tuple('0123456')


@pytest.mark.parametrize('palette', [None, [[0, 0, 0]], [[0, 0, 0]] * 80, 'random'])
def test_read_classes__palette_of_other_classes__is_not_taken(palette):
    meta = {'dataset_meta': {'classes': ['a', 'b', 'c'], 'palette': palette}}

    classes = read_classes(model_of(3), NOTHING, meta)

    assert classes.named
    assert len(set(classes.colors)) == 3
    assert (0, 0, 0) not in classes.colors


def test_read_classes__made_colours__differ_from_their_neighbours():
    colors = np.array(read_classes(model_of(150), NOTHING, {}).colors)

    distances = abs(colors[:, None] - colors[None]).max(axis=-1)
    assert colors.min() >= 0 and colors.max() <= 255
    assert (distances + 999 * np.eye(150))[:12, :12].min() > 40
    assert (distances + 999 * np.eye(150)).min() > 0


def test_read_classes__text_in_place_of_names__is_no_list():
    meta = {'dataset_meta': {'classes': 'abc'}}

    assert not read_classes(model_of(3), NOTHING, meta).named


@pytest.mark.parametrize(
    ('attributes', 'things'), [({}, 5), ({'num_things_classes': 2}, 2)]
)
def test_read_classes__panoptic_model__tells_how_many_are_things(attributes, things):
    model = model_of(5)
    vars(model).update(attributes)

    assert read_classes(model, NOTHING, {}).num_things == things
