"""J and F: the official numbers, and cases made by hand."""

import numpy as np
import pytest

from helpers import GOLDEN
from pe_mm.tracking.davis_metric import (
    ObjectFrames,
    SequenceScores,
    Statistics,
    Summary,
    boundary_accuracy,
    region_similarity,
)


def box(top, bottom, left, right, shape=(20, 30)):
    mask = np.zeros(shape, np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


EMPTY, FULL = box(0, 0, 0, 0), box(0, 20, 0, 30)


def test_measures__golden_masks__equal_the_official_ones():
    with np.load(GOLDEN / 'tracking.npz') as arrays:
        for k in range(2):
            for t in range(6):
                truth, found = arrays['gt'][k, t], arrays['pred'][k, t]
                assert region_similarity(truth, found) == arrays['J'][k, t]
                assert boundary_accuracy(truth, found) == pytest.approx(
                    arrays['F'][k, t], abs=1e-12
                )


@pytest.mark.parametrize(
    ('truth', 'found', 'j', 'f'),
    [
        (EMPTY, EMPTY, 1, 1),
        (EMPTY, box(2, 5, 2, 5), 0, 0),
        (box(2, 5, 2, 5), EMPTY, 0, 0),
        (box(2, 5, 2, 5), box(2, 5, 2, 5), 1, 1),
        (box(2, 5, 2, 5), box(12, 15, 20, 25), 0, 0),
        # 3 x 4 pixels in common of 3 x 8.
        (box(2, 5, 0, 6), box(2, 5, 2, 8), 0.5, None),
        # A mask of the whole picture has no boundary.
        (FULL, FULL, 1, 1),
        (FULL, EMPTY, 0, 1),
        (FULL, box(0, 20, 0, 15), 0.5, 0),
    ],
)
def test_measures__edge_cases__are_as_defined(truth, found, j, f):
    assert region_similarity(truth, found) == j
    if f is not None:
        assert boundary_accuracy(truth, found) == f


def test_boundary_accuracy__shifted_edge__matches_within_the_bound():
    # The boundary of a half picture is one column of pixels; 0.008 of the diagonal of
    # 300 x 400 is 4 pixels exactly.
    shape = (300, 400)
    truth = box(0, 300, 0, 100, shape)

    assert boundary_accuracy(truth, box(0, 300, 0, 104, shape)) == 1
    assert boundary_accuracy(truth, box(0, 300, 0, 105, shape)) == 0


def test_boundary_accuracy__extra_strip__lowers_precision_alone():
    shape = (300, 400)
    truth = box(0, 300, 0, 100, shape)
    found = truth | box(0, 300, 200, 300, shape)

    # Three columns were found, one of which is true: 2 * 1/3 * 1 / (4/3).
    assert boundary_accuracy(truth, found) == pytest.approx(0.5)


def test_statistics__frames__have_the_official_quarters():
    values = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]

    statistics = Statistics.of_frames(values)

    # Bounds 1, 3, 5, 7, 9: frames 1 to 3 against 7 to 9; 0.5 is not above 0.5.
    assert statistics.mean == pytest.approx(0.5)
    assert statistics.recall == pytest.approx(4 / 9)
    assert statistics.decay == pytest.approx(0.8 - 0.2)


@pytest.mark.parametrize(
    ('values', 'decay'),
    [
        ([0.7], 0.0),
        # Bounds 1, 1, 2, 2, 2: the first frame against the second.
        ([1.0, 0.0], 1.0),
        # Bounds 1, 2, 2, 3, 3: frames 1 and 2 against 3.
        ([0.9, 0.5, 0.1], 0.6),
    ],
)
def test_statistics__few_frames__have_a_decay_all_the_same(values, decay):
    assert Statistics.of_frames(values).decay == pytest.approx(decay)


def test_sequence_scores__missing_ids__count_as_the_official_evaluation_does():
    first = np.array([[1, 0, 3, 255]], np.uint8)
    scores = SequenceScores('clip', first)

    scores.add(np.array([[1, 1, 3, 4]]), np.array([[1, 0, 0, 0]]))

    # Object 2 is nowhere and counts as found; 4 came later and is not judged.
    assert [(o.object_id, o.j) for o in scores.objects] == [
        (1, [0.5]),
        (2, [1.0]),
        (3, [0.0]),
    ]


def test_summary__objects__count_the_same_whatever_their_frames():
    objects = [
        ObjectFrames('a', 1, [1.0, 1.0, 1.0], [0.8] * 3),
        ObjectFrames('b', 1, [0.0], [0.2]),
    ]

    summary = Summary.of(objects)

    assert summary.j == Statistics(0.5, 0.5, 0.0)
    assert summary.f.mean == pytest.approx(0.5)
    assert summary.as_percent()['J&F-Mean'] == pytest.approx(50)


def test_scores__nothing_to_judge__is_an_error():
    with pytest.raises(ValueError, match='has no object in its first mask'):
        SequenceScores('clip', np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match='annotations of three frames at least'):
        Summary.of([ObjectFrames('clip', 1)])
    scores = SequenceScores('clip', np.ones((2, 2), np.uint8))
    with pytest.raises(ValueError, match='write them at the native size'):
        scores.add(np.ones((2, 2)), np.ones((2, 3)))
