"""Figures show what was measured, under titles that say which layer it is."""

import numpy as np
import pytest
import torch
from matplotlib.colors import LogNorm
from PIL import Image
from planted_encoder import (
    attend_to_marks,
    mark_patches,
    seeded_encoder,
    seeded_image,
)

from pe_mm.analysis.attention_figures import (
    draw_attention,
    draw_attention_layers,
    draw_heads,
)
from pe_mm.analysis.attention_maps import measure_attention
from pe_mm.analysis.correspondences import Matches
from pe_mm.analysis.feature_figures import draw_feature_colors, draw_matches
from pe_mm.analysis.feature_pca import color_features
from pe_mm.analysis.figures import save_arrays, save_figure, spread_layers
from pe_mm.analysis.global_token_figure import draw_global_tokens
from pe_mm.analysis.global_tokens import find_global_tokens

PICTURE = np.full((96, 96, 3), 200, np.uint8)


def titles(figure):
    return [a.get_title() for a in figure.axes if a.get_title()]


def shown(figure, title, row=0):
    """Return the map under the title that starts so, some rows below."""
    panels = [a for a in figure.axes if a.get_images()]
    first = next(i for i, a in enumerate(panels) if a.get_title().startswith(title))
    columns = sum(bool(a.get_title()) for a in panels)
    return np.asarray(panels[first + row * columns].get_images()[0].get_array())


def measure(**options):
    encoder = seeded_encoder(0, **options)
    return measure_attention(encoder, seeded_image(0), [(3, 4), (9, 1)])


def test_spread_layers__many__keeps_both_ends():
    assert spread_layers(range(50)) == [0, 10, 20, 29, 39, 49]
    assert spread_layers((3, 7)) == [0, 1]
    assert spread_layers((3,)) == [0]


@pytest.mark.parametrize('head', [None, 2])
def test_draw_attention__panels__are_the_maps_in_fair_shares(head):
    maps = measure()
    figure = draw_attention(maps, PICTURE, head=head)
    assert titles(figure) == ['image', *(f'layer {layer}' for layer in range(6))]
    grids, received = maps.on_grid(144 * maps.maps), maps.on_grid(maps.received)
    take = (lambda x: x.mean(0)) if head is None else (lambda x: x[head])
    for layer in range(6):
        for token in (0, 1):
            np.testing.assert_allclose(
                shown(figure, f'layer {layer}', token),
                take(grids[layer, token]),
                rtol=1e-5,
            )
        np.testing.assert_allclose(
            shown(figure, f'layer {layer}', 2), take(received[layer]), rtol=1e-5
        )
    panel = next(a for a in figure.axes if a.get_title() == 'layer 3')
    assert isinstance(panel.get_images()[0].norm, LogNorm)


def test_draw_attention__head_that_is_not__is_refused():
    with pytest.raises(ValueError, match=r'head 4 does not exist: heads are 0\.\.3'):
        draw_attention(measure(), PICTURE, head=4)


def test_draw_heads__rows__are_heads():
    maps = measure(window_size=6, global_blocks=(2,))
    figure = draw_heads(maps, PICTURE)
    assert titles(figure)[1:4] == ['layer 0\nwindowed', 'layer 1\nwindowed', 'layer 2']
    for head in range(4):
        np.testing.assert_allclose(
            shown(figure, 'layer 2', head), 144 * maps.on_grid(maps.maps)[2, 0, head]
        )


def test_draw_attention__class_token__needs_no_mark():
    encoder = seeded_encoder(0, class_token=True)
    maps = measure_attention(encoder, seeded_image(0), ['class'])
    figure = draw_attention(maps, PICTURE)
    assert [a.get_ylabel() for a in figure.axes if a.get_ylabel()][0] == (
        'from\nclass token'
    )


def test_draw_attention_layers__lines__are_means_of_images_and_heads():
    encoder = seeded_encoder(0)
    measured = [
        measure_attention(encoder, seeded_image(s, *grid))
        for s, grid in ((0, (4, 4)), (1, (6, 3)))
    ]
    axes = draw_attention_layers(measured).axes
    for panel, name in zip(axes, ('distance', 'entropy'), strict=True):
        line = next(
            x for x in panel.get_lines() if x.get_label() == 'mean of the heads'
        )
        values = np.mean([getattr(m, name) for m in measured], axis=(0, 2))
        np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-6)
        assert name in panel.get_ylabel()
    alike = next(
        x.get_ydata()[0] for x in axes[1].get_lines() if 'alike' in x.get_label()
    )
    assert alike == pytest.approx((4 + np.log2(18)) / 2)


def test_draw_global_tokens__planted__marks_them_from_their_layer_on():
    encoder = seeded_encoder(0)
    marked = mark_patches(encoder, 0, 3)
    attend_to_marks(encoder, range(3, 6))
    found = find_global_tokens(encoder, seeded_image(0))

    figure = draw_global_tokens([found], [PICTURE])

    assert titles(figure) == [
        'image',
        'attention\nlayer 2',
        'attention\nlayer 3',
        'attention\nlayer 5',
        'norm\nlayer 5',
    ]
    panels = {a.get_title(): a for a in figure.axes if a.get_title()}
    assert panels['attention\nlayer 2'].get_lines()[0].get_ydata().size == 0
    circles = panels['attention\nlayer 3'].get_lines()[0]
    places = np.stack([circles.get_ydata(), circles.get_xdata()], 1)
    assert sorted(places.tolist()) == np.argwhere(marked).tolist()
    bars = [p.get_height() for p in figure.axes[2].patches]
    assert bars[:6] == [0, 0, 0, 3, 3, 3]


@pytest.mark.parametrize('global_blocks', [(), (2,)])
def test_draw_global_tokens__windowed_layers__are_drawn_too(global_blocks, tmp_path):
    encoder = seeded_encoder(0, window_size=6, global_blocks=global_blocks)
    found = [find_global_tokens(encoder, seeded_image(s)) for s in range(4)]
    figure = draw_global_tokens(found, [PICTURE] * 4)
    save_figure(figure, tmp_path / 'figure.png')
    expected = [f'attention\nlayer {layer}' for layer in global_blocks]
    assert titles(figure) == ['image', *expected, 'norm\nlayer 5']


def test_draw_global_tokens__windowed_in_one_image_alone__leaves_that_layer_out():
    encoder = seeded_encoder(0, window_size=6, global_blocks=(2, 3))
    marked = mark_patches(encoder, 0, 3)
    attend_to_marks(encoder, range(1, 6))
    # One window exactly around the image is the whole image.
    large, small = (find_global_tokens(encoder, seeded_image(0, n, n)) for n in (12, 6))
    assert (large.windowed[1], small.windowed[1]) == (True, False)
    assert marked.shape == (12, 12)

    for found in ([large, small], [small, large]):
        figure = draw_global_tokens(found, [PICTURE] * 2)
        assert titles(figure)[1:3] == ['attention\nlayer 2', 'attention\nlayer 3']


def test_draw_feature_colors__panels__are_the_colours():
    encoder, image = seeded_encoder(0), seeded_image(0)
    colors = color_features([encoder(image)])
    figure = draw_feature_colors(colors, [PICTURE], range(6))
    np.testing.assert_array_equal(shown(figure, 'layer 4'), colors.colors[0][4])


def test_draw_feature_colors__many_images_and_layers__draws_some_of_either():
    maps = [[torch.randn(1, 8, 2, 3) for _ in range(9)] for _ in range(10)]
    figure = draw_feature_colors(color_features(maps), [PICTURE] * 10, range(9))
    assert titles(figure)[1:] == [f'layer {layer}' for layer in (0, 2, 3, 5, 6, 8)]
    assert sum(bool(a.get_images()) for a in figure.axes) == 8 * 7 + 3


def test_draw_matches__lines__end_in_the_middle_of_patches():
    matches = Matches(
        np.array([[0, 1], [2, 0]]), np.array([[1, 0], [0, 3]]), np.array([0.5, 0.75])
    )
    pictures = [np.zeros((60, 40, 3), np.uint8), np.zeros((20, 80, 3), np.uint8)]
    figure = draw_matches(matches, pictures, [(3, 2), (2, 4)], title='pairs')
    lines = figure.axes[0].collections[1]
    offset = 40 * 1.04
    expected = [[[30, 10], [offset + 10, 15]], [[10, 50], [offset + 70, 5]]]
    np.testing.assert_allclose(lines.get_segments(), expected)
    np.testing.assert_allclose(lines.get_array(), [0.5, 0.75])


def test_save_figure__png__is_as_wide_as_a_readme(tmp_path):
    path = tmp_path / 'new' / 'figure.png'
    save_figure(draw_attention_layers([measure()]), path)
    assert Image.open(path).size[0] == 900
    assert [p.name for p in path.parent.iterdir()] == ['figure.png']


def test_save_arrays__npz__is_read_back_without_pickle(tmp_path):
    path = tmp_path / 'arrays.npz'
    save_arrays(path, {'a.b': np.arange(3), 'layers': (1, 2)})
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays['a.b'].tolist() == [0, 1, 2]
        assert arrays['layers'].tolist() == [1, 2]
