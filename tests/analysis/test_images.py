"""Pictures: their size in whole patches, their channels, their names."""

import cv2
import numpy as np
import pytest

from pe_mm.analysis.images import read_pictures


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a picture, red left and blue right."""

    def write(name, height, width):
        picture = np.zeros((height, width, 3), np.uint8)
        picture[:, : width // 2, 2] = 255
        picture[:, width // 2 :, 0] = 255
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), picture)
        return path

    return write


@pytest.mark.parametrize(
    ('shape', 'size', 'expected'),
    [
        ((64, 96), None, (64, 96)),
        ((64, 96), 192, (128, 192)),
        ((65, 103), None, (64, 96)),
        ((1024, 2048), None, (512, 1024)),
        ((4, 500), 512, (16, 512)),
    ],
)
def test_read_pictures__any_size__become_whole_patches(write, shape, size, expected):
    (picture,) = read_pictures([write('a.png', *shape)], size, 16)
    assert picture.pixels.shape == (*expected, 3)
    assert picture.pixels[2, 2].tolist() == [255, 0, 0]
    assert picture.pixels[2, -3].tolist() == [0, 0, 255]


def test_read_pictures__names__are_numbered_where_they_are_the_same(write):
    paths = [write('a/x.png', 16, 16), write('b/X.png', 16, 16)]
    assert [p.name for p in read_pictures(paths, None, 16)] == ['0_x', '1_X']
    assert [p.name for p in read_pictures(paths[:1], None, 16)] == ['x']


def test_read_pictures__what_is_no_image__is_refused(tmp_path, write):
    for name, content in (('empty.png', b''), ('text.png', b'text')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f'{name} cannot be read: it is damaged'):
            read_pictures([tmp_path / name], None, 16)
    with pytest.raises(FileNotFoundError):
        read_pictures([tmp_path / 'missing.png'], None, 16)
    with pytest.raises(ValueError, match='at least a patch of 16 pixels, got 15'):
        read_pictures([write('a.png', 16, 16)], 15, 16)
