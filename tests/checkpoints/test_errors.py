"""How names are put into messages, and what kinds of error there are."""

import pytest

from pe_mm.checkpoints.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    listing,
    shorten,
)


def test_listing__many_names__first_ones_and_the_count() -> None:
    assert listing(['a', 'b']) == 'a, b'
    assert listing('abcde', limit=2) == 'a, b and 3 more'


def test_shorten__long_name__keeps_both_ends() -> None:
    assert shorten('a' * 200) == 'a' * 200
    assert shorten('begin' + 'x' * 5000 + 'end', limit=10) == 'begin...xxend'
    assert len(listing(['x' * 5000])) == 203


@pytest.mark.parametrize('kind', [CheckpointError, FileNotFoundError, ValueError])
def test_not_found__caught_as_either_kind__keeps_its_message(kind) -> None:
    with pytest.raises(kind) as caught:
        raise CheckpointNotFoundError('no checkpoint a.pt')
    assert str(caught.value) == 'no checkpoint a.pt'
