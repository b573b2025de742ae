import pytest
import torch

from pe_mm.alignment import random_block_mask


@pytest.mark.parametrize(
    ('grid', 'unit', 'ratio', 'hidden'),
    [((8, 6), 2, 0.75, 36), ((8, 6), 1, 0.4, 19), ((4, 4), 2, 0.0, 0)],
)
def test_random_block_mask__dividing_grid__hides_the_ratio_in_every_image(
    grid, unit, ratio, hidden
):
    mask = random_block_mask(5, grid, ratio, unit)
    assert mask.shape == (5, *grid) and mask.dtype == torch.bool
    assert mask.sum((1, 2)).tolist() == [hidden] * 5


def test_random_block_mask__unit_two__hides_whole_blocks():
    mask = random_block_mask(3, (8, 6), 0.5, 2)
    blocks = mask.view(3, 4, 2, 3, 2).sum((2, 4))
    assert set(blocks.flatten().tolist()) == {0, 4}


def test_random_block_mask__unit_does_not_divide__cuts_the_last_blocks():
    assert random_block_mask(2, (3, 5), 1.0, 2).all()
    assert random_block_mask(2, (3, 5), 0.5, 2).shape == (2, 3, 5)


def test_random_block_mask__same_generator_seed__same_mask():
    first, second, other = (
        random_block_mask(4, (8, 8), 0.5, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert first.equal(second)
    assert not first.equal(other)
    assert not first[0].equal(first[1])


@pytest.mark.parametrize(
    ('ratio', 'unit', 'message'),
    [(1.5, 2, r'\[0, 1\], got 1.5'), (0.5, 0, 'unit must be an int >= 1, got 0')],
)
def test_random_block_mask__impossible__says_so(ratio, unit, message):
    with pytest.raises(ValueError, match=message):
        random_block_mask(1, (4, 4), ratio, unit)
