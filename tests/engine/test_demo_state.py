"""The demo's state: what is done, of which recipe."""

import json

import pytest

from pe_mm.engine.demo_state import STATE, DemoState

RECIPE = {'configs': {'depth': {'sizes': [8, 8]}}, 'train': 8, 'val': 4}


def test_demo_state__saved_and_opened__is_the_same(tmp_path):
    state = DemoState.open(tmp_path / 'demo', RECIPE)
    state.seconds['data'] = 1.5
    state.save()

    again = DemoState.open(tmp_path / 'demo', RECIPE)

    assert again == state
    assert not again.is_finished
    assert [path.name for path in (tmp_path / 'demo').iterdir()] == [STATE]


def test_demo_state__with_metrics__is_finished(tmp_path):
    state = DemoState(tmp_path, RECIPE, metrics={'detection': {'box AP': 0.5}})
    state.save()

    assert DemoState.open(tmp_path, RECIPE).is_finished


def test_demo_state__other_recipe__names_what_differs(tmp_path):
    DemoState(tmp_path, RECIPE).save()

    with pytest.raises(ValueError, match='differs in train; replace it with --redo'):
        DemoState.open(tmp_path, {**RECIPE, 'train': 9})


def test_demo_state__tuples_in_the_recipe__are_the_lists_that_were_saved(tmp_path):
    recipe = {**RECIPE, 'configs': {'depth': {'sizes': (8, 8)}}}
    DemoState.open(tmp_path, recipe).save()

    assert DemoState.open(tmp_path, recipe).recipe == RECIPE
    with pytest.raises(ValueError, match='differs in val; replace'):
        DemoState.open(tmp_path, {**recipe, 'val': 5})


def test_demo_state__foreign_folder__is_left_alone(tmp_path):
    (tmp_path / 'letters').mkdir()

    with pytest.raises(ValueError, match='is not empty and holds no demo'):
        DemoState.open(tmp_path, RECIPE)


def test_demo_state__killed_at_its_first_save__begins_anew(tmp_path):
    (tmp_path / f'.{STATE}.x7.partial').write_text('{')

    assert DemoState.open(tmp_path, RECIPE) == DemoState(tmp_path, RECIPE)


def test_demo_state__file__is_plain_json(tmp_path):
    DemoState(tmp_path, RECIPE, seconds={'data': 2.0}, resumed=['depth']).save()

    content = json.loads((tmp_path / STATE).read_text())
    assert content['recipe'] == RECIPE
    assert (content['seconds'], content['resumed']) == ({'data': 2.0}, ['depth'])
