"""The square around a thing."""

import pytest

from pe_mm.data.squares import square_around


@pytest.mark.parametrize(
    ('box', 'expected'),
    [
        # The longer side is 20, its middle (50, 40): half a square is 0.6 * 20.
        ((40, 35, 60, 45), (38, 28, 62, 52)),
        ((45, 30, 55, 50), (38, 28, 62, 52)),
        ((0, 35, 20, 45), (0, 28, 22, 52)),
        ((90, 70, 100, 80), (89, 69, 100, 80)),
    ],
    ids=['wide', 'tall', 'cut left', 'cut right and below'],
)
def test_square_around__box__is_square_with_a_margin_inside_the_picture(box, expected):
    assert square_around(box, margin=0.1, size=(100, 80)) == expected
