"""Whole data sets: masks, scores, and going on after an end in the middle."""

from dataclasses import replace

import numpy as np
import pytest

from pe_mm import PerceptionEncoder
from pe_mm.tracking.davis_dataset import DavisDataset, read_indexed
from pe_mm.tracking.output import TrackFolder
from pe_mm.tracking.protocols import make_protocol
from pe_mm.tracking.running import (
    check_clips,
    describe_run,
    track_and_score,
    track_clips,
)

PROTOCOL = make_protocol('dinov3', side=48, radius=3)


@pytest.fixture
def folder(tmp_path, colors_encoder, davis_root):
    facts = describe_run(colors_encoder, PROTOCOL, davis_root)
    return TrackFolder(tmp_path / 'out', facts)


def test_describe_run__same_weights_in_other_windows__are_other_settings(
    tmp_path, colors_encoder, davis_root, folder
):
    (folder.root / 'sequences').mkdir(exist_ok=True)
    (folder.root / 'sequences' / 'moving.json').write_text('{}')
    same = describe_run(colors_encoder, PROTOCOL, davis_root)
    TrackFolder(folder.root, same)
    windowed = PerceptionEncoder(colors_encoder.encoder.variant, 'all', window_size=2)

    other = replace(colors_encoder, encoder=windowed)
    with pytest.raises(ValueError, match='tracked with other settings: .*window_size'):
        TrackFolder(folder.root, describe_run(other, PROTOCOL, davis_root))


def ignore(done, total):
    pass


def test_track_and_score__whole_tokens__have_perfect_scores(davis, colors_encoder):
    clip = DavisDataset(davis(frames=5)).clip('moving')

    scores = track_and_score(colors_encoder, clip, PROTOCOL)

    assert list(scores) == [0, 1]
    for objects in scores.values():
        # Frames 1 to 3: neither the first one nor the last.
        assert [(o.object_id, o.j, o.f) for o in objects] == [
            (1, [1] * 3, [1] * 3),
            (2, [1] * 3, [1] * 3),
        ]


def test_track_clips__masks__have_names_size_and_colours_of_the_annotation(
    davis, colors_encoder, folder
):
    clip = DavisDataset(davis(frames=3)).clip('moving')

    track_clips(colors_encoder, [clip], PROTOCOL, folder, ignore)

    for layer in (0, 1):
        for truth in clip.masks:
            path = folder.root / f'masks/layer-{layer:02d}/moving' / truth.name
            found, wanted = read_indexed(path), read_indexed(truth)
            assert (found.mode, found.size) == ('P', wanted.size)
            assert found.getpalette()[:9] == wanted.getpalette()[:9]
            assert np.array_equal(np.array(found), np.array(wanted))


def test_track_clips__later_clip_is_broken__the_finished_one_is_not_redone(
    davis, colors_encoder, folder
):
    data = DavisDataset(davis('a'), split='all')
    davis('b')
    clips = [data.clip('a'), data.clip('b')]
    broken = clips[1].frames[2].read_bytes()
    clips[1].frames[2].write_bytes(b'')
    with pytest.raises(ValueError, match='cannot be read'):
        track_clips(colors_encoder, clips, PROTOCOL, folder, ignore)
    first = folder.read_scores(clips[0])
    mask = folder.mask_path(0, clips[0], 2)
    mask.unlink()

    clips[1].frames[2].write_bytes(broken)
    seen = []
    results = track_clips(
        colors_encoder, clips, PROTOCOL, folder, lambda *numbers: seen.append(numbers)
    )

    assert not mask.exists()
    assert list(results) == ['a', 'b']
    assert results['a'] == first
    assert seen[0] == (5, 10)
    assert seen[-1] == (10, 10)


@pytest.mark.parametrize(('frames', 'annotated'), [(3, None), (4, {0})])
def test_track_clips__clip_got_more_files__is_tracked_again(
    davis, colors_encoder, folder, frames, annotated
):
    clip = DavisDataset(davis(frames=frames, annotated=annotated)).clip('moving')
    track_clips(colors_encoder, [clip], PROTOCOL, folder, ignore)
    longer = DavisDataset(davis(frames=4)).clip('moving')

    results = track_clips(colors_encoder, [longer], PROTOCOL, folder, ignore)

    assert len(results['moving'][0][0].j) == 2


def test_track_clips__first_mask_alone__is_tracked_without_scores(
    davis, colors_encoder, folder
):
    clip = DavisDataset(davis(frames=3, annotated={0})).clip('moving')

    results = track_clips(colors_encoder, [clip], PROTOCOL, folder, ignore)

    assert results == {'moving': {0: [], 1: []}}
    assert folder.mask_path(1, clip, 2).is_file()


def test_check_clips__object_smaller_than_a_token__is_a_warning(davis, colors_encoder):
    clip = DavisDataset(davis(frames=1)).clip('moving')

    assert check_clips(colors_encoder, [clip], PROTOCOL) == []
    (warning,) = check_clips(colors_encoder, [clip], make_protocol('dino', side=8))
    assert 'no token of the first frame is theirs: object 2;' in warning
