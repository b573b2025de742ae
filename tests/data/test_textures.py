"""Textures stay in range, repeat as told and blur where pixels are coarse."""

from dataclasses import replace

import numpy as np
import pytest

from pe_mm.data.sampler import PATTERNS, sample_material
from pe_mm.data.scene import Surface
from pe_mm.data.textures import (
    NOISE_SIZE,
    SURFACES,
    band,
    noise_tile,
    sample,
    surface_albedo,
    thing_pattern,
)

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-0.5, 0.5, (3, 5000)).astype(np.float32)
THIN = np.full(5000, 1e-3, dtype=np.float32)


@pytest.mark.parametrize('wrap', [False, True])
@pytest.mark.parametrize('pattern', PATTERNS[1:])
def test_thing_pattern__every_kind__has_shares_of_both_colours(
    pattern: str, wrap: bool
) -> None:
    material = replace(sample_material(np.random.default_rng(1)), pattern=pattern)

    share = thing_pattern(material, POINTS, POINTS, THIN, wrap=wrap)

    assert share.min() >= 0 and share.max() <= 1
    assert 0.05 < share.mean() < 0.7
    assert share.std() > 0.1


@pytest.mark.parametrize('style', SURFACES)
def test_surface_albedo__every_style__is_finite_and_no_lamp(style: str) -> None:
    colors = np.array([(0.5, 0.4, 0.3), (0.2, 0.2, 0.2)])
    surface = Surface(style, colors, 0.5, np.zeros(2))

    albedo = surface_albedo(surface, POINTS[0] * 10, POINTS[1] * 10, THIN)

    assert albedo.shape == (3, 5000)
    assert albedo.min() > 0 and albedo.max() < 1


def test_band__wide_footprint__fades_to_the_mean() -> None:
    cells = np.linspace(0, 5, 400, dtype=np.float32)

    sharp = band(cells, np.full_like(cells, 1e-3))
    coarse = band(cells, np.full_like(cells, 20))

    assert set(np.unique(sharp)) >= {0, 1} and sharp.mean() == pytest.approx(0.5, 0.02)
    assert coarse == pytest.approx(np.full(400, 0.5), abs=0.02)


def test_sample__more_points_than_a_row__reads_each_between_texels() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    x = np.tile(np.float32([0, 1.5, 3]), 1000)

    values = sample(image, x, np.full_like(x, 0.5))

    assert values.reshape(-1, 3) == pytest.approx(np.tile([2, 3.5, 5], (1000, 1)))


def test_sample__beyond_the_image__repeats_or_gives_the_outside() -> None:
    image = np.arange(4, dtype=np.float32)[None]
    x, y = np.float32([5.0]), np.float32([0.0])

    assert sample(image, x, y) == pytest.approx([1])
    assert sample(image, x, y, outside=(9.0,)) == pytest.approx([9])


def test_noise_tile__left_and_right_border__join_without_a_seam() -> None:
    tile = noise_tile()

    assert tile.shape == (NOISE_SIZE, NOISE_SIZE)
    assert (
        np.abs(tile[:, 0] - tile[:, -1]).mean()
        < 1.5 * np.abs(np.diff(tile, axis=1)).mean()
    )
