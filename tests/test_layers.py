"""Layer numbering."""

import numpy as np
import pytest

from pe_mm.layers import parse_layers, resolve_layers


@pytest.mark.parametrize(
    ('layers', 'depth', 'resolved'),
    [
        ('last', 12, (11,)),
        ('quarters', 12, (2, 5, 8, 11)),
        ('quarters', 50, (11, 24, 36, 49)),
        ('quarters', 23, (4, 10, 16, 22)),
        ('all', 3, (0, 1, 2)),
        (5, 12, (5,)),
        (-1, 12, (11,)),
        ((2, 5, -1), 12, (2, 5, 11)),
        ([0], 1, (0,)),
        ((-12, np.int64(3)), 12, (0, 3)),
    ],
)
def test_resolve_layers__choice__gives_block_ids(layers, depth, resolved) -> None:
    assert resolve_layers(layers, depth) == resolved


@pytest.mark.parametrize(
    ('layers', 'message'),
    [
        ((12,), r'layer 12 does not exist: the encoder has blocks 0\.\.11'),
        ((-13,), 'layer -13 does not exist'),
        ((3, 3), r'more than once .*use \(3,\)'),
        ((11, -1), r'more than once .*use \(11,\)'),
        ((5, 2), r'not in ascending order .*use \(2, 5\)'),
        ((-1, 3), r'not in ascending order .*use \(3, 11\)'),
        ((), 'no layer given'),
        ('middle', "unknown layer choice 'middle'; use 'last', 'quarters', 'all'"),
    ],
)
def test_resolve_layers__impossible_choice__says_what_to_use(layers, message) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_layers(layers, 12)


def test_resolve_layers__quarters_of_three_blocks__is_refused() -> None:
    with pytest.raises(ValueError, match='at least 4 blocks, the encoder has 3'):
        resolve_layers('quarters', 3)


@pytest.mark.parametrize('layer', [1.0, True, '3', None])
def test_resolve_layers__no_integer__is_refused(layer) -> None:
    if layer != '3':
        with pytest.raises(ValueError, match=f'integer block id, got {layer}'):
            resolve_layers(layer, 12)
    with pytest.raises(ValueError, match='integer block id'):
        resolve_layers([layer], 12)


def test_resolve_layers__array__is_refused_as_no_sequence() -> None:
    with pytest.raises(ValueError, match=r'integer block id, got array\(\[1, 3\]\)'):
        resolve_layers(np.array([1, 3]), 12)


@pytest.mark.parametrize(
    ('text', 'choice'),
    [('all', 'all'), ('quarters', 'quarters'), ('5', (5,)), ('2,5,-1', (2, 5, -1))],
)
def test_parse_layers__text__gives_a_choice(text, choice) -> None:
    assert parse_layers(text) == choice


@pytest.mark.parametrize('text', ['', '2,,5', '1.5', 'first', '2-5'])
def test_parse_layers__nothing_that_names_layers__is_an_error(text) -> None:
    with pytest.raises(ValueError, match='are no layer choice; give block ids'):
        parse_layers(text)
