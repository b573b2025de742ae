"""From pictures to label maps."""

import numpy as np
import torch

from helpers import GOLDEN
from pe_mm.tracking.clip_tracking import (
    decide,
    encoded_size,
    lost_objects,
    seed_labels,
    stretch,
    track_clip,
)
from pe_mm.tracking.davis_dataset import DavisDataset
from pe_mm.tracking.protocols import make_protocol

DINO, DINOV3 = make_protocol('dino'), make_protocol('dinov3')


def test_stretch__golden_map__equals_dinos():
    with np.load(GOLDEN / 'tracking.npz') as arrays:
        soft = torch.from_numpy(arrays['propagated'][-1])
        expected = torch.from_numpy(arrays['last_norm_mask'])

    torch.testing.assert_close(stretch(soft), expected, rtol=0, atol=1e-6)


def test_stretch__same_value_everywhere__wins_or_is_absent():
    soft = torch.stack([torch.full((2, 2), 0.3), torch.zeros(2, 2)])

    assert stretch(soft).flatten(1).tolist() == [[1] * 4, [0] * 4]


def test_seed_labels__token__takes_the_object_in_its_middle():
    mask = np.zeros((4, 8), np.uint8)
    mask[2, 2] = 3  # The middle of the first token, as PIL rounds it.
    mask[0, 4] = 3  # The corner of the second.

    labels = seed_labels(mask, np.array([0, 3], np.uint8), (1, 2))

    assert labels.tolist() == [[[0, 1]], [[1, 0]]]


def test_decide__two_tokens__border_is_in_the_middle_for_both_ways():
    soft = torch.tensor([[[0.9, 0.2]], [[0.1, 0.8]]])

    for protocol in (DINO, DINOV3):
        best = decide(soft, (16, 32), (8, 16), protocol)
        assert best.shape == (8, 16)
        assert np.array_equal(best, np.arange(16)[None].repeat(8, 0) // 8)


def test_track_clip__plain_colours__are_followed_by_every_layer(davis, colors_encoder):
    clip = DavisDataset(davis(frames=5)).clip('moving')
    # The squares are whole tokens of the frames at their own size.
    protocol = make_protocol('dinov3', side=48, radius=3)
    frames = (clip.read_frame(index) for index in range(5))

    found = list(track_clip(colors_encoder, frames, clip.read_mask(0), protocol))

    assert len(found) == 4
    for index, layers in enumerate(found, start=1):
        assert len(layers) == 2
        truth = clip.read_mask(index)
        for labels in layers:
            assert labels.dtype == np.uint8
            assert np.array_equal(labels, truth)


def test_track_clip__layers_alone__give_what_they_give_together(davis, colors_encoder):
    clip = DavisDataset(davis(frames=3)).clip('moving')
    protocol = make_protocol('dinov3', side=40)

    def track():
        frames = (clip.read_frame(index) for index in range(3))
        return list(track_clip(colors_encoder, frames, clip.read_mask(0), protocol))

    together = [layers[0] for layers in track()]
    colors_encoder.encoder.out_indices = (0,)
    alone = [layers[0] for layers in track()]

    assert all(map(np.array_equal, together, alone))


def test_track_clip__ids_with_gaps__keep_their_numbers(davis, colors_encoder):
    clip = DavisDataset(davis(frames=2)).clip('moving')
    first = clip.read_mask(0)
    first[first == 2] = 254
    frames = (clip.read_frame(index) for index in range(2))

    ((labels, _),) = track_clip(
        colors_encoder, frames, first, make_protocol('dino', side=48)
    )

    assert set(np.unique(labels)) == {0, 1, 254}


def test_lost_objects__smaller_than_a_token__are_named(colors_encoder):
    mask = np.zeros((64, 64), np.uint8)
    mask[:32, :32] = 1
    mask[62, 62] = 5

    assert lost_objects(colors_encoder, mask, make_protocol('pe')) == [5]
    assert encoded_size(colors_encoder, mask.shape, make_protocol('pe')) == (64, 64)
