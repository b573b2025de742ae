"""The folder of results: what it accepts, and what its tables say."""

import csv
import json

import pytest

from pe_mm.tracking.davis_dataset import DavisDataset
from pe_mm.tracking.davis_metric import ObjectFrames
from pe_mm.tracking.output import TrackFolder

SETTINGS = {'encoder': 'a', 'layers': (0, 3)}
SCORES = [
    {0: [ObjectFrames('x', 1, [0.5], [0.75])], 3: [ObjectFrames('x', 1, [1.0], [1.0])]},
    {0: [ObjectFrames('y', 1, [0.0], [0.25])], 3: [ObjectFrames('y', 1, [0.0], [0.0])]},
]


def test_write_tables__two_clips__average_over_objects_in_percent(tmp_path):
    folder = TrackFolder(tmp_path, SETTINGS)

    rows = folder.write_tables(SCORES)

    assert [(row['Layer'], row['J&F-Mean']) for row in rows] == [(0, 37.5), (3, 50.0)]
    content = json.loads((tmp_path / 'metrics.json').read_text())
    assert content['layers'] == rows
    assert content['encoder'] == 'a'
    with (tmp_path / 'objects.csv').open() as file:
        table = list(csv.DictReader(file))
    assert [(row['Layer'], row['Sequence'], row['J-Mean']) for row in table] == [
        ('0', 'x_1', '50.000'),
        ('0', 'y_1', '0.000'),
        ('3', 'x_1', '100.000'),
        ('3', 'y_1', '0.000'),
    ]


def test_write_tables__nothing_judged__leaves_no_old_table(tmp_path):
    folder = TrackFolder(tmp_path, SETTINGS)
    folder.write_tables(SCORES)

    assert folder.write_tables([]) == []
    assert {path.name for path in tmp_path.iterdir()} == {'run.json'}


def test_scores__written_and_read__are_the_same(tmp_path, davis):
    clip = DavisDataset(davis()).clip('moving')
    folder = TrackFolder(tmp_path / 'out', SETTINGS)
    assert folder.read_scores(clip) is None

    folder.write_scores(clip, SCORES[0], (48, 80))

    assert TrackFolder(tmp_path / 'out', SETTINGS).read_scores(clip) == SCORES[0]


def test_read_scores__frame_of_another_size__is_not_finished(tmp_path, davis):
    clip = DavisDataset(davis()).clip('moving')
    folder = TrackFolder(tmp_path / 'out', SETTINGS)
    folder.write_scores(clip, SCORES[0], (48, 80))

    clip.frames[1].write_bytes(clip.frames[1].read_bytes() + b'!')

    assert folder.read_scores(clip) is None


@pytest.mark.parametrize('content', ['{', '{}', '[]'])
def test_read_scores__damaged_file__is_an_error(tmp_path, davis, content):
    clip = DavisDataset(davis()).clip('moving')
    folder = TrackFolder(tmp_path / 'out', SETTINGS)
    folder.write_scores(clip, SCORES[0], (48, 80))
    (folder.root / 'sequences' / 'moving.json').write_text(content)

    with pytest.raises(ValueError, match=r'moving\.json is damaged; delete it'):
        folder.read_scores(clip)


def test_folder__other_settings__is_an_error_and_stays(tmp_path, davis):
    clip = DavisDataset(davis()).clip('moving')
    tmp_path = tmp_path / 'out'
    TrackFolder(tmp_path, SETTINGS).write_scores(clip, SCORES[0], (48, 80))
    before = (tmp_path / 'run.json').read_bytes()

    with pytest.raises(ValueError, match=r'layers was \[0, 3\] and is \[5\]; n'):
        TrackFolder(tmp_path, {**SETTINGS, 'layers': [5]})

    assert (tmp_path / 'run.json').read_bytes() == before


def test_folder__other_settings_and_nothing_finished__starts_anew(tmp_path):
    TrackFolder(tmp_path, SETTINGS)
    (tmp_path / 'masks' / 'layer-00').mkdir(parents=True)

    TrackFolder(tmp_path, {**SETTINGS, 'layers': [5]})

    run = json.loads((tmp_path / 'run.json').read_text())
    assert run['settings'] == {'encoder': 'a', 'layers': [5]}
    assert not (tmp_path / 'masks').exists()


@pytest.mark.parametrize('name', ['masks', 'metrics.json', 'run.json'])
def test_folder__files_of_another_origin__is_an_error(tmp_path, name):
    (tmp_path / name).write_text('{"mine": 1}')

    with pytest.raises(ValueError, match=f'has {name} of no earlier run'):
        TrackFolder(tmp_path, SETTINGS)


def test_folder__is_a_file__is_an_error(tmp_path):
    (tmp_path / 'out').touch()

    with pytest.raises(NotADirectoryError, match='is a file; give a folder'):
        TrackFolder(tmp_path / 'out', SETTINGS)
