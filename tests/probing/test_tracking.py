"""Tracking in a sweep: pe_mm.tracking's numbers, for any choice of layers."""

import pytest
from tracking_data import write_clip

from pe_mm.engine.encoder_loading import load_encoder
from pe_mm.probing.encoder import FrozenEncoder
from pe_mm.probing.tracking import TrackingTask
from pe_mm.tracking.davis_dataset import DavisDataset
from pe_mm.tracking.davis_metric import Summary
from pe_mm.tracking.protocols import make_protocol
from pe_mm.tracking.running import track_and_score


def test_measure__layers__are_those_of_the_tracker_in_one_pass(scenes):
    encoder = FrozenEncoder(load_encoder('timm/test_vit.r160_in1k', layers=(0, 2, 4)))
    task = TrackingTask(scenes, config='demo', side=64)
    seen = []
    values = task.measure(
        encoder, [0, 4], lambda done, total: seen.append((done, total))
    )

    data = DavisDataset(scenes)
    clips = [data.clip(name) for name in data.names]
    protocol = make_protocol('pe', side=64)
    for layer in (0, 4):
        alone = load_encoder('timm/test_vit.r160_in1k', layers=(layer,))
        objects = [
            scored
            for clip in clips
            for scored in track_and_score(alone, clip, protocol)[layer]
        ]
        assert values[layer] == pytest.approx(100 * Summary.of(objects).j_and_f)
    total = sum(len(clip.frames) for clip in clips)
    assert seen == [(n + 1, total) for n in range(total)]
    assert encoder.layers == encoder.module.out_indices == (0, 2, 4)


def test_init__no_clips__is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='JPEGImages'):
        TrackingTask(tmp_path, config='none', side=64)


def test_init__clips_that_cannot_be_scored_or_tracked__are_an_error(tmp_path):
    write_clip(tmp_path / 'few', annotated=(0, 4))
    with pytest.raises(ValueError, match='few can be scored: one needs masks of three'):
        TrackingTask(tmp_path / 'few', config='few', side=64)
    write_clip(tmp_path / 'torn')
    mask = tmp_path / 'torn/Annotations/480p/moving/00000.png'
    mask.write_bytes(mask.read_bytes()[:60])
    with pytest.raises(ValueError, match='00000.png cannot be read'):
        TrackingTask(tmp_path / 'torn', config='torn', side=64)
