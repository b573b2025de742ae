"""The checks of what a backbone hands to a neck."""

import pytest
import torch

from pe_mm.necks.maps import check_maps, check_widths


def test_check_widths__list_or_tuple__becomes_a_list_of_ints() -> None:
    assert check_widths((768, 768)) == [768, 768]
    assert check_widths([8]) == [8]


@pytest.mark.parametrize(
    ('widths', 'message'),
    [
        (768, r'one entry per map, such as \[768, 768\]; got 768'),
        ('768', "one entry per map, .* got '768'"),
        (['8'], "in_channels must be an int >= 1, got '8'"),
        ([8, 0], 'in_channels must be an int >= 1, got 0'),
    ],
)
def test_check_widths__bad_ones__are_named(widths, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_widths(widths)


def test_check_maps__fitting_ones__pass() -> None:
    maps = [torch.zeros(1, 8, 4, 4), torch.zeros(1, 6, 2, 2)]
    check_maps(maps, [8, 6], 'no fix')
    check_maps(tuple(maps), (8, 6), 'no fix')


def test_check_maps__in_index__takes_those() -> None:
    maps = [torch.zeros(1, 8, 4, 4), torch.zeros(1, 6, 2, 2), None]
    check_maps(maps, [6, 8], 'no fix', in_index=[-2, 0])

    with pytest.raises(ValueError, match=r'got 3 maps, none at in_index=\[0, 3\]; fix'):
        check_maps(maps, [8, 6], 'fix', in_index=[0, 3])


@pytest.mark.parametrize(
    ('maps', 'message'),
    [
        (torch.zeros(1, 8, 4, 4), r'also of a single one: \(map,\); got Tensor'),
        (dict(p2=torch.zeros(1, 8, 4, 4)), 'got dict'),
        (
            [torch.zeros(1, 8, 4, 4)],
            r'got 1 map of \[8\] channels, built for 2 of \[8, 6\]; take others',
        ),
        ([torch.zeros(1, 6, 4, 4)] * 2, r'2 maps of \[6, 6\] channels, built for 2'),
        ([torch.zeros(8, 4, 4)] * 2, r'shape \(B, C, H, W\), got \[\(8, 4, 4\)'),
        (
            [(torch.zeros(1, 8, 4, 4), torch.zeros(1, 8))] * 2,
            r"got \['tuple', 'tuple'\]; the backbone must not output class tokens",
        ),
    ],
)
def test_check_maps__others__are_named(maps, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_maps(maps, [8, 6], 'take others')
