"""Bytes become tensors, and damage one kind of error."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from pretraining_samples import encoded

from pe_mm.pretraining_data.decoding import (
    CorruptSampleError,
    decode_image,
    decode_video,
    read_instance_map,
    read_video,
    spread_frames,
    stack_frames,
)


def test_decode_image__turned_by_exif__is_upright():
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # A quarter turn.
    Image.new('RGB', (10, 8)).save(buffer, 'JPEG', exif=exif)

    assert decode_image(buffer.getvalue(), 'a').shape == (3, 10, 8)


def test_decode_image__grey_with_transparency__is_rgb():
    buffer = io.BytesIO()
    Image.new('LA', (3, 2), (90, 0)).save(buffer, 'PNG')

    assert decode_image(buffer.getvalue(), 'a').unique().tolist() == [90]


@pytest.mark.parametrize('content', [b'', b'text', encoded(1)[:-30]])
def test_decode_image__damaged__names_the_sample(content):
    with pytest.raises(CorruptSampleError, match='a.png is no intact image'):
        decode_image(content, 'a.png')


def test_read_instance_map__no_png__is_corrupt(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'text')

    with pytest.raises(CorruptSampleError, match='a.png is no PNG of ids'):
        read_instance_map(tmp_path / 'a.png')


@pytest.mark.parametrize(
    ('total', 'frames', 'expected'),
    [(16, 4, [0, 4, 8, 12]), (5, 3, [0, 1, 3]), (2, 4, [0, 0, 1, 1]), (3, 1, [0])],
)
def test_spread_frames__clip__starts_each_part(total, frames, expected):
    assert spread_frames(total, frames) == expected


def test_stack_frames__two_sizes__are_corrupt():
    frames = [decode_image(encoded(0, size=size), 'a') for size in ((4, 4), (4, 5))]

    with pytest.raises(CorruptSampleError, match=r'clip has frames of several sizes'):
        stack_frames(frames, 'clip')


def test_read_video__header_that_promises_too_much__counts_the_frames(
    write_video, tmp_path, monkeypatch
):
    path = tmp_path / write_video('a.mp4', 6)
    whole = read_video(path, 3)

    class Lying:
        def __init__(self, name):
            self.capture = original(name)

        def get(self, key):
            return 100.0 if key == cv2.CAP_PROP_FRAME_COUNT else self.capture.get(key)

        def __getattr__(self, name):
            return getattr(self.capture, name)

    original = cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', Lying)

    assert np.array_equal(read_video(path, 3), whole)


def test_read_video__missing_or_damaged__is_corrupt(tmp_path):
    with pytest.raises(CorruptSampleError, match=r'no.mp4: No such file'):
        read_video(tmp_path / 'no.mp4', 2)
    with pytest.raises(CorruptSampleError, match=r'^clip.mp4 is no intact video'):
        decode_video(b'text', 2, 'clip.mp4')
