"""Maps, distance, entropy and received attention against whole matrices and by hand."""

import numpy as np
import pytest
import torch
from planted_encoder import seeded_encoder, seeded_image

from pe_mm.analysis import attention_rows
from pe_mm.analysis.attention_maps import measure_attention
from pe_mm.analysis.attention_rows import PADDING, visit_attention

CASES = {
    'class token': ({'class_token': True}, (6, 8)),
    'windows': ({'window_size': 4, 'global_blocks': (2,)}, (8, 8)),
    'windows with padding': ({'window_size': 5, 'global_blocks': (2,)}, (6, 8)),
}


def whole_matrices(encoder, image, count):
    """Return per layer (heads, T, T) attention, and (heads, T) shares of padding."""
    found = []

    def keep(block):
        matrix = np.zeros((4, count, count))
        padding = np.zeros((4, count, block.places.shape[1]))
        for rows in block.rows():
            for i, query in enumerate(rows.queries.tolist()):
                for j, key in enumerate(rows.keys.tolist()):
                    if key == PADDING:
                        padding[:, query, j] = rows.weights[:, i, j]
                    else:
                        matrix[:, query, key] = rows.weights[:, i, j]
        found.append((matrix, padding))

    visit_attention(encoder, image, keep)
    return found


def distance_by_hand(matrix, grid, prefix):
    """Average over patches the distance that their attention to patches goes."""
    places = [divmod(number, grid[1]) for number in range(grid[0] * grid[1])]
    apart = np.array([[np.hypot(a - c, b - d) for c, d in places] for a, b in places])
    among = matrix[:, prefix:, prefix:]
    return ((among * apart).sum(2) / among.sum(2)).mean(1)


def entropy_by_hand(matrix, padding):
    weights = np.concatenate([matrix, padding], axis=2)
    logs = np.log2(weights, where=weights > 0, out=np.zeros_like(weights))
    return -(weights * logs).sum(2).mean(1)


@pytest.mark.parametrize('case', CASES)
def test_measure_attention__any_encoder__equals_whole_matrices(case, monkeypatch):
    # Several chunks of rows.
    monkeypatch.setattr(attention_rows, '_MAX_WEIGHTS', 4 * 48 * 10)
    options, grid = CASES[case]
    encoder, image = seeded_encoder(0, **options), seeded_image(1, *grid)
    prefix = int('class_token' in options)
    count = prefix + grid[0] * grid[1]
    tokens = [(2, 3), (5, 0)] + ['class'] * prefix
    numbers = [prefix + 2 * grid[1] + 3, prefix + 5 * grid[1]] + [0] * prefix

    maps = measure_attention(encoder, image, tokens)

    assert maps.layers == tuple(range(6))
    assert maps.grid == grid
    for layer, (matrix, padding) in enumerate(whole_matrices(encoder, image, count)):
        expected = {
            'maps': matrix[:, numbers].swapaxes(0, 1),
            'received': matrix.sum(1),
            'distance': distance_by_hand(matrix, grid, prefix),
            'entropy': entropy_by_hand(matrix, padding),
        }
        for name, values in expected.items():
            np.testing.assert_allclose(
                getattr(maps, name)[layer], values, rtol=2e-5, atol=1e-6, err_msg=name
            )
    assert maps.windowed == tuple(
        'window_size' in options and layer != 2 for layer in range(6)
    )


@pytest.mark.parametrize('class_token', [False, True])
def test_measure_attention__attention_to_all_alike__has_known_values(class_token):
    encoder = seeded_encoder(0, class_token=class_token)
    with torch.no_grad():
        for block in encoder.blocks:
            block.attn.qkv.weight.zero_()
            block.attn.qkv.bias.zero_()

    maps = measure_attention(encoder, seeded_image(1, 1, 4), [(0, 1)])

    count = 4 + class_token
    np.testing.assert_allclose(maps.maps, np.full((6, 1, 4, count), 1 / count))
    np.testing.assert_allclose(maps.received, np.ones((6, 4, count)), rtol=1e-6)
    np.testing.assert_allclose(maps.entropy, np.full((6, 4), np.log2(count)), 1e-6)
    # Patches 0 1 2 3: of 16 pairs, 6 are 1, 4 are 2 and 2 are 3 apart.
    np.testing.assert_allclose(maps.distance, np.full((6, 4), 20 / 16), rtol=1e-6)


def test_on_grid__patches__are_laid_out_by_rows_without_the_class_token():
    encoder = seeded_encoder(0, class_token=True)
    maps = measure_attention(encoder, seeded_image(1, 2, 3))
    laid = maps.on_grid(np.arange(14).reshape(2, 7))
    assert laid.tolist() == [[[1, 2, 3], [4, 5, 6]], [[8, 9, 10], [11, 12, 13]]]


def test_measure_attention__window__is_left_by_no_attention():
    encoder = seeded_encoder(0, window_size=4, global_blocks=(5,))
    maps = measure_attention(encoder, seeded_image(1, 8, 8), [(1, 6)])
    grids = maps.on_grid(maps.maps[:, 0])
    outside = np.ones((8, 8), bool)
    outside[:4, 4:] = False
    assert np.all(grids[:5, :, outside] == 0)
    assert np.all(grids[5] > 0)


@pytest.mark.parametrize('token', [(12, 0), (0, 12), (-1, 0)])
def test_measure_attention__token_outside_the_grid__is_refused(token):
    with pytest.raises(ValueError, match='outside the grid of 12 rows and 12 columns'):
        measure_attention(seeded_encoder(0), seeded_image(1), [token])


def test_measure_attention__no_class_token__is_refused():
    with pytest.raises(ValueError, match='has no class token'):
        measure_attention(seeded_encoder(0), seeded_image(1), ['class'])
