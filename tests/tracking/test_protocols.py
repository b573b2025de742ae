"""Named settings: what they say, and the sizes of frames that follow."""

import pytest

from pe_mm.tracking.protocols import PROTOCOLS, make_protocol


@pytest.mark.parametrize(
    ('name', 'changes', 'frame', 'patch', 'trained', 'size'),
    [
        # DINO's script: 480 x 854 -> 480 x 832, and the long side of a portrait.
        ('dino', {}, (480, 854), 16, 32, (480, 832)),
        ('dino', {}, (480, 854), 8, 32, (480, 832)),
        ('dino', {}, (854, 480), 16, 32, (832, 480)),
        ('dino', {}, (480, 854), 14, 32, (476, 854)),
        ('dino', {}, (256, 256), 16, 16, (480, 480)),
        # The DINOv3 paper's footnote: 960 x 1712, or 966 x 1708 in patches of 14.
        ('dinov3', {'side': 960}, (480, 854), 16, 32, (960, 1712)),
        ('dinov3', {'side': 960}, (480, 854), 14, 32, (966, 1708)),
        ('pe', {}, (480, 854), 14, 32, (448, 448)),
        ('pe', {}, (480, 854), 14, 24, (336, 336)),
        ('pe', {}, (480, 854), 16, 64, (512, 512)),
        ('pe', {'side': 256}, (480, 854), 16, 32, (256, 256)),
        ('dino', {'side': 4}, (480, 854), 16, 32, (16, 64)),
    ],
)
def test_frame_size__protocol__is_the_published_one(
    name, changes, frame, patch, trained, size
):
    protocol = make_protocol(name, **changes)

    assert protocol.frame_size(*frame, patch=patch, trained=trained) == size


def test_protocols__dinov3__differs_from_dino_as_published():
    dino, dinov3 = PROTOCOLS['dino'], PROTOCOLS['dinov3']

    shared = ('last_frames', 'radius', 'top_k')
    assert [getattr(dino, name) for name in shared] == [7, 12, 5]
    assert [getattr(dinov3, name) for name in shared] == [7, 12, 5]
    assert (dino.shape, dino.temperature) == ('square', 0.1)
    assert (dinov3.shape, dinov3.temperature) == ('circle', 0.2)


def test_make_protocol__changes__mark_the_name():
    assert make_protocol('pe', top_k=5).name == 'pe'
    assert make_protocol('pe', top_k=6).name == 'pe*'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'last_frames': -1}, 'last_frames must be at least 0'),
        ({'radius': -2.0}, 'radius must be at least 0 tokens'),
        ({'radius': float('inf')}, 'radius must be at least 0 tokens, or None'),
        ({'shape': 'star'}, 'shape must be square or circle'),
        ({'top_k': 0}, 'top_k must be at least 1'),
        ({'temperature': 0.0}, 'temperature must be above 0'),
        ({'temperature': float('nan')}, 'temperature must be above 0'),
        ({'side': 0}, 'side must be at least 1 pixel'),
    ],
)
def test_make_protocol__impossible_setting__is_an_error(changes, message):
    with pytest.raises(ValueError, match=message):
        make_protocol('dino', **changes)


def test_make_protocol__unknown_name__is_an_error():
    with pytest.raises(ValueError, match="unknown protocol 'sam'; use dino, dinov3"):
        make_protocol('sam')
