import pytest

from pe_mm.checkpoints.errors import CheckpointError, CheckpointNotFoundError, listing


def test_listing__many_names__first_ones_and_the_count():
    assert listing(['a', 'b']) == 'a, b'
    assert listing('abcde', limit=2) == 'a, b and 3 more'


@pytest.mark.parametrize('kind', [CheckpointError, FileNotFoundError, ValueError])
def test_not_found__caught_as_either_kind__keeps_its_message(kind):
    with pytest.raises(kind) as caught:
        raise CheckpointNotFoundError('no checkpoint a.pt')
    assert str(caught.value) == 'no checkpoint a.pt'
