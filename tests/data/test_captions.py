"""Captions say only what is so."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pe_mm.data.captions import (
    CAPTIONS,
    NUMBERS,
    describe_thing,
    hides,
    object_captions,
    write_captions,
)
from pe_mm.data.renderer import render_labels
from pe_mm.data.sampler import sample_scene
from pe_mm.data.solids import SOLIDS

SCENES = [sample_scene(np.random.default_rng([6, k]), 96) for k in range(20)]
NAMES = {
    word: name
    for name, solid in SOLIDS.items()
    for word in (name, solid.plural, f'set of {name}', f'sets of {name}')
}


def painted(thing, color: str, pattern: str = 'plain', second: str = ''):
    material = replace(
        thing.material, color=color, second=second or color, pattern=pattern
    )
    return replace(thing, material=material)


def all_captions(scene) -> set[str]:
    """Every sentence that may be drawn for a scene."""
    labels = render_labels(scene, 160)
    drawn = (write_captions(scene, labels, np.random.default_rng(k)) for k in range(60))
    return {text for texts in drawn for text in texts}


def test_describe_thing__with_pattern__names_both_colours(place) -> None:
    ball = painted(place('ball', 0, 0), 'orange', 'striped', 'white')

    assert describe_thing(ball) == 'an orange and white striped ball'
    assert describe_thing(painted(ball, 'red'), article=False) == 'red ball'
    stairs = painted(place('stairs', 0, 0), 'red')
    assert describe_thing(stairs) == 'a set of red stairs'


@pytest.mark.parametrize(
    ('thing', 'wanted'),
    [
        (
            ('cone', 'dotted', 'a red and blue dotted cone'),
            ['A cone.', 'A dotted cone.', 'A red and blue dotted cone.'],
        ),
        (
            ('stairs', 'plain', 'a set of orange stairs'),
            ['A set of stairs.', 'A set of plain stairs.', 'A set of orange stairs.'],
        ),
        (
            ('arch', 'plain', 'an orange arch'),
            ['An arch.', 'A plain arch.', 'An orange arch.'],
        ),
    ],
)
def test_object_captions__name_class_pattern_and_looks(thing, wanted) -> None:
    assert object_captions(*thing) == wanted


def test_counts__of_sampled_scenes__are_true() -> None:
    for scene, labels in SCENES:
        first = write_captions(scene, labels, np.random.default_rng(0))[0]
        match = re.fullmatch(r'There (is|are) (\w+) objects?: (.*)\.', first)
        assert match is not None, first
        counted = Counter()
        for part in re.split(r', | and ', match[3]):
            number, words = part.split(' ', 1)
            counted[NAMES[words]] += NUMBERS.index(number)

        assert counted == Counter(thing.name for thing in scene.things)
        assert NUMBERS.index(match[2]) == len(scene.things)


def test_captions__of_sampled_scenes__are_different_and_name_only_what_is_there() -> (
    None
):
    for scene, labels in SCENES:
        captions = write_captions(scene, labels, np.random.default_rng(0))
        assert 2 < len(set(captions)) == len(captions) <= CAPTIONS
        present = {thing.name for thing in scene.things}
        for text in captions:
            assert text[0].isupper() and text.endswith('.')
            words = set(re.findall(r'\w+', text.lower()))
            assert words & (set(SOLIDS) - present) == set()


def test_sides__one_left_of_the_other__are_told_right(scene_of, place) -> None:
    scene = scene_of(
        painted(place('ball', -1, 0), 'red'), painted(place('cube', 1, 0), 'blue')
    )

    captions = all_captions(scene)

    assert 'A red ball is to the left of a blue cube.' in captions
    assert 'A blue cube is to the right of a red ball.' in captions
    assert not any('cube is to the left' in text for text in captions)


def test_depth__one_before_the_other__is_told_right(scene_of, place) -> None:
    near = painted(place('ball', 0, -0.6, size=0.8), 'red')
    scene = scene_of(painted(place('cube', 0.2, 0.6), 'blue'), near)

    captions = all_captions(scene)

    assert 'A red ball is in front of a blue cube.' in captions
    assert 'A blue cube is behind a red ball.' in captions
    assert 'A red ball partly hides a blue cube.' in captions
    assert not any(text.startswith('A blue cube partly hides') for text in captions)


def test_relations__two_things_of_one_name__are_not_told(scene_of, place) -> None:
    scene = scene_of(
        painted(place('ball', -1, 0), 'red'), painted(place('ball', 1, 0), 'red')
    )

    assert not any(' left ' in text for text in all_captions(scene))


def test_hides__needs_a_covered_part(scene_of, place) -> None:
    scene = scene_of(place('cube', 0, 1.5), place('ball', 0, -1), place('ring', 2, 0))
    labels = render_labels(scene, 128)

    assert hides(labels, 1, 0)
    assert not hides(labels, 0, 1)
    assert not hides(labels, 2, 0)


def test_size__largest__is_told_only_when_clear(scene_of, place) -> None:
    ball = painted(place('ball', -1, 0, size=1.2), 'red')
    small, same = place('ball', 1, 0, size=0.5), place('ball', 1, 0, size=1.2)

    text = 'The largest object in the picture is a red ball.'

    assert text in all_captions(scene_of(ball, painted(small, 'blue')))
    assert text not in all_captions(scene_of(ball, painted(same, 'blue')))


@pytest.mark.parametrize(('scene', 'labels'), SCENES[:3])
def test_captions__same_generator__same_sentences(scene, labels) -> None:
    first, second = (
        write_captions(scene, labels, np.random.default_rng(1)) for _ in range(2)
    )

    assert first == second
