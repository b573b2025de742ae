"""The curve, the pictures and the rows that a run leaves."""

import hashlib
import json

import cv2
import numpy as np
import pytest

from pe_mm.engine.run_report import (
    draw_loss_curve,
    file_sha256,
    read_scalars,
    tile_scenes,
)


def write_scalars(work_dir, start, rows, tail=''):
    folder = work_dir / start / 'vis_data'
    folder.mkdir(parents=True)
    lines = [json.dumps(row) for row in rows]
    (folder / 'scalars.json').write_text('\n'.join([*lines, tail]))


def test_read_scalars__resumed_run__joins_its_logs_by_step(tmp_path):
    first = [
        {'step': 1, 'loss': 3.0},
        {'step': 2, 'loss': 2.0},
        {'step': 3, 'loss': 9.0},
    ]
    second = [{'step': 3, 'loss': 1.0}, {'coco/bbox_mAP': 0.5, 'step': 3}]
    write_scalars(tmp_path, '20260101_000000', first, tail='{"step": 4, "lo')
    write_scalars(tmp_path, '20260101_000100', second)

    assert [(row['step'], row['loss']) for row in read_scalars(tmp_path)] == [
        (1, 3.0),
        (2, 2.0),
        (3, 1.0),
    ]


def test_draw_loss_curve__rows__is_a_picture(tmp_path):
    rows = [{'step': k, 'loss': 2.0 / k, 'loss_mask': 1.0 / k} for k in range(1, 9)]

    draw_loss_curve(rows, tmp_path / 'curve.png')

    assert cv2.imread(str(tmp_path / 'curve.png')).std() > 5


def test_draw_loss_curve__no_rows__is_an_error(tmp_path):
    with pytest.raises(ValueError, match='no losses were logged'):
        draw_loss_curve([], tmp_path / 'curve.png')


def test_tile_scenes__odd_number__labels_over_predictions_and_white_rest():
    black, grey = (np.full((30, 40, 3), value, np.uint8) for value in (0, 90))
    scene = [(black, grey), (grey, black)]

    grid = tile_scenes([scene] * 3, titles=['a', 'b', 'c', 'd'], columns=2)

    one = tile_scenes([scene], titles=['a', 'b', 'c', 'd'], columns=1)
    assert grid.shape == (2 * one.shape[0], 2 * one.shape[1], 3)
    assert (grid[one.shape[0] :, one.shape[1] :] == 255).all()
    height, width = one.shape[0] // 2, one.shape[1] // 2
    middles = [
        one[row * height + 35, column * width + 20, 0]
        for row in (0, 1)
        for column in (0, 1)
    ]
    assert middles == [0, 90, 90, 0]


def test_file_sha256__file__is_its_digest(tmp_path):
    (tmp_path / 'file').write_bytes(b'abc')

    assert file_sha256(tmp_path / 'file') == hashlib.sha256(b'abc').hexdigest()
