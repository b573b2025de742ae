"""Propagation of labels: DINO's arrays, a naive reference, and cases made by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from helpers import GOLDEN
from pe_mm.tracking.label_propagation import Context
from pe_mm.tracking.protocols import make_protocol


@pytest.fixture(scope='module')
def golden():
    """Return what DINO's script gave, and what it was given."""
    with np.load(GOLDEN / 'tracking.npz') as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


def propagate(features, first_labels, protocol):
    """Yield the soft labels of every frame after the first."""
    maps = iter(features)
    context = Context(next(maps), first_labels, protocol)
    yield from map(context.advance, maps)


def one_hot(labels):
    return functional.one_hot(labels.long()).movedim(-1, 0).float()


def naive(target, sources, labels, protocol):
    """Label one frame token by token: (C, h, w), n x (C, h, w), n x (K, h, w)."""
    height, width = target.shape[1:]
    result = torch.zeros(labels[0].shape[0], height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            votes = []
            for source, given in zip(sources, labels, strict=True):
                for v in range(height):
                    for u in range(width):
                        dy, dx = abs(v - y), abs(u - x)
                        distance = max(dy, dx)
                        if protocol.shape == 'circle':
                            distance = (dy**2 + dx**2) ** 0.5
                        if protocol.radius is None or distance <= protocol.radius:
                            similarity = functional.cosine_similarity(
                                target[:, y, x], source[:, v, u], dim=0
                            ).item()
                            votes.append((similarity, given[:, v, u].double()))
            votes.sort(key=lambda vote: -vote[0])
            votes = votes[: protocol.top_k]
            shares = [np.exp(s / protocol.temperature) for s, _ in votes]
            result[:, y, x] = sum(
                share * label for share, (_, label) in zip(shares, votes, strict=True)
            ) / sum(shares)
    return result.float()


def test_propagate__golden_clip__equals_dinos(golden):
    features = golden['features'].unflatten(2, (9, 11))
    protocol = make_protocol('dino', last_frames=2, radius=3)

    found = list(propagate(features, one_hot(golden['first_labels']), protocol))

    torch.testing.assert_close(
        torch.stack(found), golden['propagated'], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    'changes',
    [
        {'shape': 'circle', 'radius': 2.5},
        {'shape': 'circle', 'radius': 2},
        {'radius': None, 'top_k': 30},
        {'radius': 0, 'top_k': 7},
        {'radius': 1, 'temperature': 0.01},
        {'last_frames': 0},
    ],
    ids=str,
)
def test_propagate__settings__equal_a_naive_loop(changes):
    # Larger than a block on one side, so that blocks meet.
    torch.manual_seed(0)
    frames = torch.randn(3, 5, 3, 10)
    first = one_hot(torch.randint(0, 3, (3, 10)))
    protocol = make_protocol('dino', **changes)

    one, two = propagate(frames, first, protocol)

    torch.testing.assert_close(one, naive(frames[1], frames[:1], [first], protocol))
    last = [(frames[1], one)] if protocol.last_frames else []
    sources, labels = zip((frames[0], first), *last, strict=True)
    torch.testing.assert_close(two, naive(frames[2], sources, labels, protocol))


def test_propagate__still_clip__ties_all_count():
    # Two tokens look alike: with top_k=1 the k-th similarity is that of both.
    features = torch.tensor([[[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]])
    labels = one_hot(torch.tensor([[0, 1, 1]]))

    (found,) = propagate([features, features], labels, make_protocol('dino', top_k=1))

    assert found.tolist() == [[[0.5, 0.5, 0.0]], [[0.5, 0.5, 1.0]]]


def test_propagate__moving_object__is_followed_within_the_radius():
    labels = one_hot(torch.tensor([[0, 1, 0, 0, 0, 0]]))
    frames = torch.zeros(3, 2, 1, 6)
    for frame, place in enumerate((1, 3, 5)):
        frames[frame, 0] = 1
        frames[frame, :, 0, place] = torch.tensor([0.0, 1.0])
    near = make_protocol('dino', radius=2, top_k=1)
    far = make_protocol('dino', radius=1, top_k=1)

    assert [m[1, 0].argmax().item() for m in propagate(frames, labels, near)] == [3, 5]
    # No token in reach looks like it, so that it takes those of the background.
    assert next(propagate(frames, labels, far))[1, 0, 3] == 0


def test_context__long_clip__keeps_the_first_and_last_frames_alone():
    torch.manual_seed(0)
    frames = torch.randn(8, 4, 2, 3)
    protocol = make_protocol('dino', last_frames=2)
    context = Context(frames[0], one_hot(torch.tensor([[0, 1, 1]] * 2)), protocol)
    for frame in frames[1:]:
        context.advance(frame)

    held = [features for features, _ in context._last]

    unit = functional.normalize(frames.movedim(1, -1), dim=-1)
    torch.testing.assert_close(torch.stack(held), unit[-2:])


def test_propagate__generator__reads_no_frame_ahead():
    read = []

    def frames():
        for index in range(4):
            read.append(index)
            yield torch.ones(2, 1, 1)

    clip = propagate(frames(), torch.ones(1, 1, 1), make_protocol('dino'))
    next(clip)

    assert read == [0, 1]


def test_propagate__frames_of_other_sizes__is_an_error():
    frames = [torch.ones(2, 3, 3), torch.ones(2, 3, 4)]

    with pytest.raises(ValueError, match='all frames of a clip must have one size'):
        list(propagate(frames, torch.ones(1, 3, 3), make_protocol('dino')))
