"""Pictures of tracked objects."""

import cv2
import numpy as np
import pytest

from pe_mm.tracking import drawing
from pe_mm.tracking.davis_dataset import DavisDataset
from pe_mm.tracking.drawing import draw_clips, draw_sheet, overlay, write_video
from pe_mm.tracking.output import TrackFolder


@pytest.fixture
def tracked(davis, tmp_path):
    """Return a clip, and a folder in which its annotation is the result."""
    clip = DavisDataset(davis(frames=4)).clip('moving')
    folder = TrackFolder(tmp_path / 'out', {})
    for index in range(4):
        folder.write_mask(3, clip, index, clip.read_mask(index), clip.read_palette())
    return clip, folder


def test_overlay__object__has_the_palettes_colour(davis):
    clip = DavisDataset(davis(frames=1)).clip('moving')
    frame = np.zeros((48, 80, 3), np.uint8)

    picture = overlay(frame, clip.read_mask(0), clip.read_palette())

    # Enlarged twice; half the colour of id 1, (200, 10, 20), in BGR.
    assert picture.shape == (96, 160, 3)
    assert picture[34, 2].tolist() == [10, 5, 100]
    assert picture[80, 80].tolist() == [0, 0, 0]


def test_overlay__id_beyond_the_palette__still_has_a_colour():
    labels = np.full((600, 600), 2, np.uint8)

    picture = overlay(np.zeros((600, 600, 3), np.uint8), labels, [0, 0, 0, 9, 9, 9])

    assert picture.shape == (600, 600, 3)


def test_draw_clips__video__can_be_read_back(tracked):
    clip, folder = tracked

    assert draw_clips('video', (3,), [clip], folder) == []

    (path,) = (folder.root / 'overlays').iterdir()
    assert path.name == 'moving-layer-03.mp4'
    video = cv2.VideoCapture(str(path))
    frames = [video.read()[1] for _ in range(4)]
    assert not video.read()[0]
    assert frames[0].shape == (96, 160, 3)
    # The square of object 1 moved on by 8 pixels a frame: it is red no more.
    assert frames[0][50, 6, 2] > 100 > frames[3][50, 6, 2]


def test_draw_clips__no_codec__draws_sheets_and_says_so(tracked, monkeypatch):
    clip, folder = tracked

    class NoWriter:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, *args):
            pass

        def isOpened(self):  # noqa: N802
            return False

    monkeypatch.setattr(drawing.cv2, 'VideoWriter', NoWriter)

    (warning,) = draw_clips('video', (3,), [clip], folder)

    assert 'writes no mp4 files, so that sheets were drawn' in warning
    assert [p.name for p in (folder.root / 'overlays').iterdir()] == ['moving.jpg']


def test_draw_sheet__rows__are_the_annotation_and_the_layers(tracked):
    clip, folder = tracked
    paths = [folder.mask_path(3, clip, index) for index in range(4)]

    sheet = draw_sheet(clip, {'layer-03': paths}, clip.read_palette())

    # 24 pixels of frame numbers, and two rows of 168, each with a gap of 4 below.
    assert sheet.shape[0] == 24 + 4 + 2 * (168 + 4)
    rows = sheet[28:200, 110:], sheet[200:372, 110:]
    assert np.array_equal(*rows)
    assert (rows[0] != 255).any()


def test_write_video__no_pictures__leaves_nothing(tmp_path):
    assert not write_video(tmp_path / 'none.mp4', [])
    assert list(tmp_path.iterdir()) == []
