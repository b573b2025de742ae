"""Global tokens are found where they were planted, and nowhere else."""

import numpy as np
import pytest
import torch
from planted_encoder import (
    attend_to_marks,
    lengthen_marked,
    mark_patches,
    seeded_encoder,
    seeded_image,
)

from pe_mm.analysis.attention_rows import visit_attention
from pe_mm.analysis.global_tokens import find_global_tokens, first_layer

SEEDS = range(4)
PLANTED = [(0, 1), (2, 3), (3, 6), (5, 2)]


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize(('layer', 'count'), PLANTED)
@pytest.mark.parametrize('class_token', [False, True])
def test_find_global_tokens__attention_planted__finds_layer_count_and_places(
    seed, layer, count, class_token
):
    encoder = seeded_encoder(seed, class_token=class_token)
    marked = mark_patches(encoder, seed, count)
    attend_to_marks(encoder, range(layer, 6))

    found = find_global_tokens(encoder, seeded_image(seed))

    assert first_layer(found.layers, [found.by_attention]) == layer
    for index, mask in enumerate(found.by_attention):
        np.testing.assert_array_equal(mask, marked & (index >= layer))
    assert first_layer(found.layers, [found.by_norm]) is None


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize(('layer', 'count'), PLANTED)
def test_find_global_tokens__norms_planted__finds_layer_count_and_places(
    seed, layer, count
):
    encoder = seeded_encoder(seed)
    marked = mark_patches(encoder, seed, count)
    lengthen_marked(encoder, layer)

    found = find_global_tokens(encoder, seeded_image(seed))

    assert first_layer(found.layers, [found.by_norm]) == layer
    for index, mask in enumerate(found.by_norm):
        np.testing.assert_array_equal(mask, marked & (index >= layer))
    assert not found.by_attention.any()


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('marks', [0, 4])
def test_find_global_tokens__nothing_planted__finds_none(seed, marks):
    encoder = seeded_encoder(seed, class_token=bool(seed % 2))
    mark_patches(encoder, seed, marks)  # Patches that stand out, but to nobody.
    found = find_global_tokens(encoder, seeded_image(seed))
    assert not found.by_attention.any()
    assert not found.by_norm.any()


@pytest.mark.parametrize(('lookers', 'is_global'), [(48, False), (96, True)])
def test_find_global_tokens__less_than_half_attend__is_not_global(lookers, is_global):
    encoder = seeded_encoder(0)
    marked = mark_patches(encoder, 0, 1)
    attend_to_marks(encoder, [1])
    qkv = encoder.blocks[1].attn.qkv
    slow = torch.arange(6, 64, 16)
    with torch.no_grad():
        # Only patches with a mark of their own, in channel 1, look for the marked one.
        qkv.bias[slow] = 0
        qkv.weight[slow, 1] = 0.7
        encoder.pos_embed[0, torch.randperm(144)[:lookers], 1] = 6

    found = find_global_tokens(encoder, seeded_image(0))

    assert found.by_attention[1][marked].tolist() == [is_global]


@pytest.mark.parametrize('class_token', [False, True])
def test_find_global_tokens__attention__is_what_half_of_the_tokens_pay(class_token):
    encoder, image = seeded_encoder(3, class_token=class_token), seeded_image(1, 4, 6)
    tokens = 24 + class_token
    matrices = []
    visit_attention(
        encoder,
        image,
        lambda block: matrices.append(
            torch.cat([rows.weights for rows in block.rows()], dim=1)
        ),
    )

    found = find_global_tokens(encoder, image)

    for layer, matrix in enumerate(matrices):
        mean = matrix.mean(0).numpy()[:, class_token:]
        for paid, limit in zip(mean.T, found.attention[layer].ravel(), strict=True):
            # 12 of 24 tokens, 13 of 25, pay as much, and no more of them pay more.
            assert (paid * tokens >= limit * (1 - 1e-6)).sum() == (tokens + 1) // 2


def test_find_global_tokens__norm__is_relative_to_the_median():
    encoder, image = seeded_encoder(0), seeded_image(0, 3, 3)
    with torch.no_grad():
        lengths = encoder(image)[4][0].norm(dim=0).numpy()
    found = find_global_tokens(encoder, image)
    np.testing.assert_allclose(found.norm[4], lengths / np.median(lengths), rtol=1e-5)


@pytest.mark.parametrize('grid', [(12, 12), (5, 12), (3, 6)])
def test_find_global_tokens__windowed_layers__have_no_attention_from_all(grid):
    encoder = seeded_encoder(0, window_size=6, global_blocks=(1, 4))
    found = find_global_tokens(encoder, seeded_image(0, *grid))
    assert found.windowed == (True, False, True, True, False, True)
    assert np.isnan(found.attention[[0, 2, 3, 5]]).all()
    assert np.isfinite(found.attention[[1, 4]]).all()
    assert np.isfinite(found.norm).all()


def test_find_global_tokens__one_window_around_the_image__counts_as_global():
    encoder = seeded_encoder(0, window_size=12)
    found = find_global_tokens(encoder, seeded_image(0))
    assert found.windowed == (False,) * 6


@pytest.mark.parametrize('limit', [1.0, 0.0, float('nan')])
@pytest.mark.parametrize('name', ['min_attention', 'min_norm'])
def test_find_global_tokens__limit_that_all_pass__is_refused(name, limit):
    with pytest.raises(ValueError, match=f'{name} must be above 1'):
        find_global_tokens(seeded_encoder(0), seeded_image(0), **{name: limit})


def test_first_layer__half_of_the_images__decide():
    none, some = np.zeros((3, 2, 2), bool), np.zeros((3, 2, 2), bool)
    some[1, 0, 0] = True
    late = none.copy()
    late[2] = True
    layers = (4, 6, 9)
    assert first_layer(layers, [none, none]) is None
    assert first_layer(layers, [some, none]) == 6
    assert first_layer(layers, [some, none, none]) is None
    assert first_layer(layers, [some, late, late]) == 9
