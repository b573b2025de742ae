"""Clips move smoothly, and keep every thing's place."""

import numpy as np
import pytest

from pe_mm.data.clips import describe_clip, sample_clip
from pe_mm.data.renderer import render_labels
from pe_mm.data.sampler import well_seen

CLIPS = [sample_clip(np.random.default_rng([4, k]), 96, 6) for k in range(6)]


def test_clip__first_frame__shows_every_thing_well() -> None:
    for clip, _ in CLIPS:
        labels = render_labels(clip[0], 96)

        assert len(well_seen(labels)) == len(clip[0].things)


def test_clip__every_frame__has_the_same_things_in_the_same_order() -> None:
    for clip, _ in CLIPS:
        for scene in clip[1:]:
            assert [t.name for t in scene.things] == [t.name for t in clip[0].things]
            assert [t.material for t in scene.things] == [
                t.material for t in clip[0].things
            ]


def test_clip__every_frame__things_stay_whole_on_the_floor_and_apart() -> None:
    for clip, _ in CLIPS:
        for scene in clip:
            for k, thing in enumerate(scene.things):
                assert thing.vertices[:, 2].min() == pytest.approx(0, abs=2e-3)
                for other in scene.things[:k]:
                    apart = np.hypot(*(thing.center - other.center)[:2])
                    assert apart > 0.94 * (thing.radius + other.radius)


def test_clip__camera_inside__sees_no_beyond() -> None:
    for clip, _ in CLIPS:
        for scene in clip:
            planes = scene.room.planes
            assert (planes[:, :3] @ scene.camera.position + planes[:, 3] > 0).all()


def test_captions__of_motion__are_true() -> None:
    for clip, captions in CLIPS:
        moved = not np.allclose(clip[0].camera.position, clip[-1].camera.position)
        assert ('The camera stands still.' in captions) != moved
        told = sum(text.endswith((' slides.', ' rolls.')) for text in captions)
        pairs = zip(clip[0].things, clip[-1].things, strict=True)
        assert told == sum(not np.allclose(a.center, b.center) for a, b in pairs)
        if moved:
            right = clip[-1].camera.position[0] > clip[0].camera.position[0]
            side = 'right' if right else 'left'
            assert any(text.endswith(f'to the {side}.') for text in captions)


def test_clips__several__something_moves() -> None:
    assert any(any('camera moves' in text for text in texts) for _, texts in CLIPS)
    assert any(any('slides' in text for text in texts) for _, texts in CLIPS)


def test_describe_clip__ids__count_from_one() -> None:
    facts = describe_clip(*CLIPS[0])

    assert [item['id'] for item in facts['objects']] == list(
        range(1, len(CLIPS[0][0][0].things) + 1)
    )
    assert facts['captions'] == CLIPS[0][1]
