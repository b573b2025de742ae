"""`pe-mm track`: a data set end to end, and every mistake as one message."""

import json

import numpy as np
import pytest
from PIL import Image
from tracking_data import write_clip

from pe_mm.cli.main import main


@pytest.fixture
def track(tmp_path, capsys):
    """Run the command on tmp_path/davis; returns its code and what it printed."""
    root = write_clip(tmp_path / 'davis', 'a', 4)
    write_clip(root, 'b', 3, annotated={0})

    def run(*words, encoder='PE-Spatial-T16-512', data=root, out=tmp_path / 'out'):
        always = [encoder, data, '--out', out, '--device', 'cpu']
        code = main(['track', *map(str, [*always, *words])])
        return code, capsys.readouterr()

    run.root, run.out = root, tmp_path / 'out'
    return run


SMALL = ('--resolution', 48, '--layers', '0,2')


def test_track__clips__are_tracked_scored_and_drawn(track):
    code, printed = track(*SMALL, '--overlay', 'sheet')

    assert code == 0
    lines = printed.out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith('Layer'))
    assert lines[head - 1].endswith(
        'weights seed-0; protocol dino*: 48 x 64 (3 x 4 tokens), '
        'first + last 7 frames, square of radius 12, top 5, T = 0.1'
    )
    assert [line.split()[0] for line in lines[head + 1 : head + 3]] == ['0', '2']
    assert '1 of 2 clips have no scores' in printed.err
    metrics = json.loads((track.out / 'metrics.json').read_text())
    assert [row['Layer'] for row in metrics['layers']] == [0, 2]
    assert {row['Sequence'] for row in metrics['objects']} == {'a_1', 'a_2'}
    assert sorted(p.name for p in (track.out / 'overlays').iterdir()) == [
        'a.jpg',
        'b.jpg',
    ]


def test_track__masks__are_what_the_official_evaluation_reads(track):
    track(*SMALL)

    for name, frames in (('a', 4), ('b', 3)):
        folder = track.out / 'masks' / 'layer-02' / name
        assert [p.name for p in sorted(folder.iterdir())] == [
            f'{index:05d}.png' for index in range(frames)
        ]
        for path in folder.iterdir():
            mask = Image.open(path)
            assert (mask.mode, mask.size) == ('P', (80, 48))
            assert np.array(mask).max() <= 2


def test_track__again__computes_nothing_and_says_the_same(track):
    first = track(*SMALL)[1].out
    masks = sorted(track.out.rglob('*.png'))
    times = [path.stat().st_mtime_ns for path in masks]

    code, printed = track(*SMALL)

    assert code == 0
    assert [path.stat().st_mtime_ns for path in masks] == times
    assert printed.out.splitlines()[-4:] == first.splitlines()[-4:]


def test_track__only_first_masks__gives_no_table(track):
    code, printed = track(*SMALL, '--sequences', 'b')

    assert code == 0
    assert 'J&F' not in printed.out
    assert not (track.out / 'metrics.json').exists()


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--protocol', 'sam'], "unknown protocol 'sam'; use dino, dinov3, pe"),
        (['--layers', '12'], 'layer 12 does not exist: the encoder has blocks 0..11'),
        (['--layers', '1-3'], "layers '1-3' are no layer choice"),
        (['--radius', 'far'], "--radius takes a number of tokens or 'none', got far"),
        (['--top-k', '0'], 'top_k must be at least 1, got 0'),
        (['--sequences', 'c'], "there is no clip 'c' in the split 'val'"),
        (['--split', 'test'], 'splits there: val, all'),
        (['--weights', 'no.pth'], 'no checkpoint no.pth'),
        (['--device', 'cdua'], '--device cdua cannot be used'),
    ],
)
def test_track__bad_argument__is_one_message_and_writes_nothing(track, words, message):
    code, printed = track(*words)

    assert code == 2
    assert message in printed.err
    assert printed.err.count('\n') == 1
    assert not track.out.exists()


def test_track__bad_clip__is_told_before_anything_is_tracked(track):
    (track.root / 'JPEGImages/480p/a/00001.jpg').unlink()

    code, printed = track(*SMALL)

    assert code == 2
    assert 'clip a has missing frames: no 00001.jpg in' in printed.err
    assert not track.out.exists()


def test_track__other_settings_in_the_same_folder__is_refused(track):
    track(*SMALL)

    code, printed = track(*SMALL, '--top-k', 3)

    assert code == 2
    assert 'other settings: top_k was 5 and is 3; nothing' in printed.err
    assert 'nothing was changed, give another folder' in printed.err
