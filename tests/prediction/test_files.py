"""The output folder: checked first, written whole."""

import json

import cv2
import numpy as np
import pytest

from pe_mm.prediction.files import OutputFolder
from pe_mm.prediction.images import find_images


def read_json(path):
    return json.loads(path.read_text())


def test_output_folder__missing__is_made_and_left_empty(tmp_path):
    OutputFolder(tmp_path / 'a' / 'b')

    assert list((tmp_path / 'a' / 'b').iterdir()) == []


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize(
    'place', ['predictions.json', 'images.json', 'panoptic.json', 'labels/mine.png']
)
@pytest.mark.parametrize('run', [None, 'mine', '[]', '{"made_by": "me"}'])
def test_output_folder__files_of_somebody_else__are_refused(tmp_path, place, run):
    touch(tmp_path / place)
    if run is not None:
        (tmp_path / 'run.json').write_text(run)

    with pytest.raises(
        ValueError, match=f'has .*{place.split("/")[0]}.* of no earlier'
    ):
        OutputFolder(tmp_path)


def test_output_folder__other_files_and_empty_folders__are_left_alone(tmp_path):
    touch(tmp_path / 'photos' / 'mine.jpg')
    (tmp_path / 'labels').mkdir()

    OutputFolder(tmp_path).start()

    assert (tmp_path / 'photos' / 'mine.jpg').is_file()


def test_finish__json_files_of_an_earlier_run__stay_until_then(tmp_path):
    earlier = OutputFolder(tmp_path)
    earlier.start()
    for name in ('predictions.json', 'images.json'):
        earlier.write_json(name, 'earlier')
    touch(tmp_path / 'pictures' / 'a.jpg')
    touch(tmp_path / 'mine.json')

    folder = OutputFolder(tmp_path)
    folder.start()
    assert read_json(tmp_path / 'images.json') == 'earlier'
    assert read_json(tmp_path / 'run.json')['finished'] is False

    folder.write_json('predictions.json', 'new')
    folder.finish(3, [{'file_name': 'b.jpg', 'reason': 'damaged'}])

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {'predictions.json', 'run.json', 'pictures', 'mine.json'}
    assert read_json(tmp_path / 'predictions.json') == 'new'
    assert read_json(tmp_path / 'run.json') == {
        'made_by': 'pe-mm predict',
        'finished': True,
        'predicted': 3,
        'skipped': [{'file_name': 'b.jpg', 'reason': 'damaged'}],
    }
    assert (tmp_path / 'pictures' / 'a.jpg').is_file()


@pytest.mark.parametrize(
    'source', ['out/pictures', 'out/pictures/a.jpg', 'out/labels/sub', 'link', 'x']
)
def test_check_inputs__images_in_an_output_folder__are_refused(tmp_path, source):
    folder = OutputFolder(tmp_path / 'out')
    folder.start()
    touch(tmp_path / 'out' / 'pictures' / 'a.jpg')
    touch(tmp_path / 'out' / 'labels' / 'sub' / 'b.png')
    (tmp_path / 'link').symlink_to(tmp_path / 'out' / 'pictures')
    (tmp_path / 'x').mkdir()
    (tmp_path / 'x' / 'c.jpg').symlink_to(tmp_path / 'out' / 'pictures' / 'a.jpg')
    images = find_images(tmp_path / source, tmp_path / 'out')

    with pytest.raises(ValueError, match='are written, which could overwrite it; give'):
        folder.check_inputs(tmp_path / source, images)


def test_check_inputs__output_is_a_link_to_an_image__is_refused(tmp_path):
    folder = OutputFolder(tmp_path / 'out')
    touch(tmp_path / 'images' / 'sub' / 'a.jpg')
    touch(tmp_path / 'images' / 'b.jpg')
    images = find_images(tmp_path / 'images', tmp_path / 'out')
    folder.check_inputs(tmp_path / 'images', images)
    (tmp_path / 'out' / 'pictures').mkdir()
    (tmp_path / 'out' / 'pictures' / 'sub').symlink_to(tmp_path / 'images' / 'sub')

    with pytest.raises(ValueError, match=r'sub/a\.jpg is where predictions in --out'):
        folder.check_inputs(tmp_path / 'images', images)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_write_png__numbers__come_back_equal(tmp_path, dtype):
    values = np.arange(0, np.iinfo(dtype).max, 7, dtype=dtype)[:30].reshape(5, 6)

    place = OutputFolder(tmp_path).write_png('labels', 'a/b', values)

    assert place == 'labels/a/b.png'
    back = cv2.imread(str(tmp_path / place), cv2.IMREAD_UNCHANGED)
    assert back.dtype == dtype
    assert (back == values).all()


def test_write_picture_and_json__existing_files__are_replaced(tmp_path):
    folder = OutputFolder(tmp_path)
    for value in (10, 200):
        place = folder.write_picture('x/p', np.full((8, 8, 3), value, np.uint8))
        folder.write_json('predictions.json', {'value': value})

    assert place == 'pictures/x/p.jpg'
    assert abs(cv2.imread(str(tmp_path / place)).astype(int) - 200).max() <= 1
    assert json.loads((tmp_path / 'predictions.json').read_text()) == {'value': 200}
    assert len(list(tmp_path.rglob('*.*'))) == 2


def test_write_json__fails__leaves_nothing(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(28, 'No space left on device')

    folder = OutputFolder(tmp_path)
    monkeypatch.setattr('pathlib.Path.write_bytes', fail)

    with pytest.raises(OSError, match='No space left'):
        folder.write_json('predictions.json', [])
    assert list(tmp_path.iterdir()) == []
