"""What all pyramids do: extra levels, contiguous maps, small and odd sizes."""

import pytest
import torch
from mmcv.ops import RoIAlign

from pe_mm import SimpleFeaturePyramid
from pe_mm.necks.pyramid import check_scales


def test_pyramid__extra_levels__subsample_the_last() -> None:
    neck = SimpleFeaturePyramid(16, 8, scales=(1,), num_outs=3)
    first, second, third = neck([torch.randn(1, 16, 7, 6)])
    assert torch.equal(second, first[..., ::2, ::2])
    assert torch.equal(third, first[..., ::4, ::4])
    assert neck.out_channels == (8, 8, 8)


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_pyramid__every_level__is_contiguous_and_roi_align_reads_it_right(
    layout,
) -> None:
    neck = SimpleFeaturePyramid(16, 8, num_outs=5).eval()
    boxes = torch.tensor([[0.0, 1, 2, 20, 30], [1.0, 4, 0, 31, 9]])
    map_ = torch.randn(2, 16, 8, 8).to(memory_format=layout)
    with torch.no_grad():
        levels = neck((map_,))
    assert all(level.is_contiguous() for level in levels)
    for level in levels:
        align = RoIAlign(output_size=7, spatial_scale=level.shape[-1] / 32)
        copied = torch.tensor(level.numpy().copy())
        torch.testing.assert_close(align(level, boxes), align(copied, boxes))


def test_roi_align__channels_last_map__is_misread() -> None:
    # Why the levels must be contiguous; once mmcv mends this, they need not.
    map_, boxes = torch.randn(1, 8, 8, 8), torch.tensor([[0.0, 1, 1, 7, 7]])
    align = RoIAlign(output_size=7, spatial_scale=1.0)
    channels_last = map_.to(memory_format=torch.channels_last)
    assert not torch.allclose(align(map_, boxes), align(channels_last, boxes))


@pytest.mark.parametrize('size', [(7, 7), (9, 5), (2, 3), (73, 3)])
def test_pyramid__odd_maps__double_exactly_and_halve_rounding_down(size) -> None:
    height, width = size
    levels = SimpleFeaturePyramid(8, 4)([torch.zeros(1, 8, height, width)])
    assert [tuple(level.shape[-2:]) for level in levels] == [
        (4 * height, 4 * width),
        (2 * height, 2 * width),
        (height, width),
        (height // 2, width // 2),
    ]


def test_pyramid__map_too_small_for_a_scale__is_named() -> None:
    neck = SimpleFeaturePyramid(8, 4, scales=(1, 0.25))
    with pytest.raises(ValueError, match=r'a map of 9 x 3 has no pixel .* scale 0\.25'):
        neck([torch.zeros(1, 8, 9, 3)])


def test_pyramid__inputs__are_left_alone() -> None:
    map_ = torch.randn(1, 16, 4, 4)
    before = map_.clone()
    with torch.no_grad():
        SimpleFeaturePyramid(16, 8, num_outs=5)((map_,))
    assert torch.equal(map_, before)


def test_pyramid__bfloat16_autocast__gives_finite_levels_of_its_own_size() -> None:
    neck = SimpleFeaturePyramid(16, 8)
    with torch.autocast('cpu', torch.bfloat16):
        levels = neck([torch.randn(1, 16, 4, 4)])
    assert [level.shape[-1] for level in levels] == [16, 8, 4, 2]
    assert all(level.isfinite().all() for level in levels)


@pytest.mark.parametrize('scales', [2.0, (), '21', None])
def test_check_scales__no_sequence_of_numbers__is_named(scales) -> None:
    with pytest.raises(ValueError, match='scales must be one number per level'):
        check_scales(scales)
