"""Pairs of alike patches: known permutations, blocks of rows, and what is drawn."""

import numpy as np
import pytest
import torch

from pe_mm.analysis import correspondences
from pe_mm.analysis.correspondences import Matches, match_features, strongest_spread


def test_match_features__patches_moved__are_found_again():
    source = torch.randn(1, 16, 5, 7)
    order = torch.randperm(35)
    # Longer features are no less alike.
    target = 3 * source.flatten(2)[:, :, order].unflatten(2, (7, 5))

    matches = match_features(source, target)

    places = matches.target @ (5, 1)
    assert order[places].tolist() == (matches.source @ (7, 1)).tolist() == [*range(35)]
    np.testing.assert_allclose(matches.similarity, 1, rtol=1e-6)


@pytest.mark.parametrize('mutual', [True, False])
@pytest.mark.parametrize('limit', [2**24, 50, 1])
def test_match_features__any_blocks__equal_the_whole_matrix(mutual, limit, monkeypatch):
    monkeypatch.setattr(correspondences, '_MAX_SIMILARITIES', limit)
    source, target = torch.randn(1, 4, 6, 5), torch.randn(1, 4, 3, 8)
    vectors = [map_[0].flatten(1).T.numpy() for map_ in (source, target)]
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors)
    similarity = a @ b.T
    best, back = similarity.argmax(1), similarity.argmax(0)
    pairs = [(i, j) for i, j in enumerate(best) if not mutual or back[j] == i]

    matches = match_features(source, target, mutual=mutual)

    assert 0 < len(matches) == len(pairs)
    assert matches.source.tolist() == [[i // 5, i % 5] for i, _ in pairs]
    assert matches.target.tolist() == [[j // 8, j % 8] for _, j in pairs]
    np.testing.assert_allclose(
        matches.similarity, [similarity[pair] for pair in pairs], rtol=1e-5
    )


def test_match_features__other_width__is_refused():
    with pytest.raises(ValueError, match='4 and 8 channels cannot be compared'):
        match_features(torch.randn(1, 4, 2, 2), torch.randn(1, 8, 2, 2))


def test_strongest_spread__cells__keep_their_most_similar_pair():
    matches = Matches(
        np.array([[0, 0], [1, 1], [0, 3], [3, 0], [2, 1]]),
        np.arange(10).reshape(5, 2),
        np.array([0.5, 0.7, 0.2, 0.9, 0.8], np.float32),
    )
    chosen = strongest_spread(matches, (4, 4), cells=2)
    assert chosen.source.tolist() == [[1, 1], [0, 3], [3, 0]]
    assert chosen.target.tolist() == [[2, 3], [4, 5], [6, 7]]
    np.testing.assert_allclose(chosen.similarity, [0.7, 0.2, 0.9])
