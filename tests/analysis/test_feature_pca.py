"""Blur, principal components, colours and foreground, by hand and from formulas."""

import numpy as np
import pytest
import torch

from pe_mm.analysis.feature_pca import (
    FeaturePca,
    blur_map,
    color_features,
    foreground_masks,
    lch_colors,
)


def rgb_of_lab(lab):
    """Convert CIE Lab (D65) to sRGB by the definitions of CIE and IEC 61966-2-1."""
    lightness, a, b = np.moveaxis(np.asarray(lab, float), -1, 0)
    fy = (lightness + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    xyz = xyz * (0.95047, 1, 1.08883)
    matrix = [
        (3.2404542, -1.5371385, -0.4985314),
        (-0.9692660, 1.8760108, 0.0415560),
        (0.0556434, -0.2040259, 1.0572252),
    ]
    linear = np.clip(xyz @ np.transpose(matrix), 0, 1)
    curved = 1.055 * linear ** (1 / 2.4) - 0.055
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, curved)


def test_blur_map__single_token__is_half_itself_and_half_its_blur():
    map_ = torch.zeros(1, 1, 5, 5)
    map_[0, 0, 2, 2] = 1
    weights = np.exp(-0.5 * np.array([1, 0, 1.0]))
    weights /= weights.sum()
    expected = 0.5 * np.outer(weights, weights)
    expected[1, 1] += 0.5
    blurred = blur_map(map_)
    np.testing.assert_allclose(blurred[0, 0, 1:4, 1:4], expected, rtol=1e-6)
    assert blurred.sum().item() == pytest.approx(1)


def test_blur_map__single_row__is_refused():
    with pytest.raises(ValueError, match='a map of 1 x 5 tokens cannot be blurred'):
        blur_map(torch.zeros(1, 1, 1, 5))


def test_fit__three_directions__are_found_in_order_with_signs():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((6, 3)))[0].T
    directions *= np.sign(directions[range(3), abs(directions).argmax(1)])[:, None]
    tokens = rng.standard_normal((4000, 3)) * (9, 3, 1) @ directions + 5

    pca = FeaturePca.fit(torch.from_numpy(tokens).float())

    np.testing.assert_allclose(pca.components, directions, atol=0.02)
    np.testing.assert_allclose(pca.explained, np.array([81, 9, 1]) / 91, atol=0.01)
    scores = (tokens - tokens.mean(0)) @ directions.T
    low, high = np.percentile(scores, (1, 99), axis=0)
    np.testing.assert_allclose(pca.low, low, rtol=0.02)
    np.testing.assert_allclose(pca.high, high, rtol=0.02)


def test_project__scores__reach_from_0_to_1():
    tokens = torch.randn(500, 8)
    pca = FeaturePca.fit(tokens)
    scores = pca.project(tokens.T.reshape(8, 20, 25)).reshape(500, 3)
    assert scores.min() == 0
    assert scores.max() == 1
    for column in scores.T:
        assert 3 <= (column == 0).sum() <= 7  # one of a hundred
        assert 3 <= (column == 1).sum() <= 7


@pytest.mark.parametrize('tokens', [torch.randn(3, 8), torch.ones(9, 8)])
def test_fit__too_few_different_tokens__is_refused(tokens):
    with pytest.raises(ValueError, match=f'{len(tokens)} tokens have no three'):
        FeaturePca.fit(tokens)


def test_lch_colors__any_components__equal_the_definitions():
    components = np.random.default_rng(0).random((40, 40, 3)).astype(np.float32)
    lightness, chroma, hue = (
        25 + 65 * components[..., 0],
        5 + 50 * components[..., 1],
        np.radians(300 * components[..., 2]),
    )
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], -1)
    difference = lch_colors(components) - rgb_of_lab(lab)
    assert abs(difference).max() < 3  # OpenCV looks the curve up in a table.


def test_color_features__alike_features__have_one_colour_in_images_and_layers():
    first = torch.randn(1, 8, 6, 7)
    second = torch.cat([first, torch.randn(1, 8, 6, 5)], dim=3)
    colors = color_features([[first, first], [second, second]])
    # Deep layers' features are longer; that is no difference in kind.
    scaled = color_features([[first, 100 * first], [second, 100 * second]])
    for image in (0, 1):
        np.testing.assert_array_equal(colors.colors[image][0], colors.colors[image][1])
        np.testing.assert_array_equal(scaled.colors[image][1], colors.colors[image][1])
    # The blur reaches one token over the seam.
    np.testing.assert_array_equal(
        colors.components[0][0][:, :6], colors.components[1][0][:, :6]
    )
    assert colors.bases[0] is colors.bases[1]
    assert colors.colors[1][0].shape == (6, 12, 3)


def test_color_features__basis_per_layer__is_fitted_to_each():
    maps = [[torch.randn(1, 8, 6, 6) for _ in range(2)] for _ in range(3)]
    colors = color_features(maps, basis='layer')
    alone = color_features([[image[1]] for image in maps])
    for image in range(3):
        np.testing.assert_array_equal(colors.colors[image][1], alone.colors[image][0])
    with pytest.raises(ValueError, match="one of .*'all', 'layer'.* got 'image'"):
        color_features(maps, basis='image')


def with_object(sign):
    """Return a (C, 12, 12) map with another feature in a block off the border."""
    map_ = 0.05 * torch.randn(8, 12, 12)
    map_[3] -= sign
    map_[3, 4:9, 2:8] += 2 * sign
    return map_


@pytest.mark.parametrize('sign', [1, -1])
def test_foreground_masks__object_in_the_middle__is_the_foreground(sign):
    masks = foreground_masks([with_object(sign), with_object(sign)])
    expected = np.zeros((12, 12), bool)
    expected[4:9, 2:8] = True
    for mask in masks:
        np.testing.assert_array_equal(mask, expected)


def test_color_features__foreground__leaves_the_background_white():
    maps = [[with_object(1)[None]], [with_object(1)[None]]]
    colors = color_features(maps, foreground=True)
    for picture, mask in zip(
        (image[0] for image in colors.colors), colors.foreground, strict=True
    ):
        assert mask[5:8, 3:7].all()
        assert not mask[:3].any()
        assert (picture[~mask] == 255).all()
        assert (picture[mask] != 255).any(-1).all()
    # What varies in the foreground has the whole range of colours there.
    inside = np.concatenate(
        [i[0][m] for i, m in zip(colors.components, colors.foreground, strict=True)]
    )
    np.testing.assert_allclose(inside.min(0), 0)
    np.testing.assert_allclose(inside.max(0), 1)
