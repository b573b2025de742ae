"""Pictures of instances, of label maps and of depth."""

import numpy as np
import pytest

from pe_mm.prediction.drawing import (
    color_depth,
    draw_depth,
    draw_instances,
    draw_regions,
    zoom_of,
)

NEAR_COLOR, FAR_COLOR = (3, 4, 122), (59, 18, 48)  # BGR ends of the turbo map


def test_draw_instances__mask_and_box__are_coloured_in_an_enlarged_copy():
    image = np.zeros((40, 60, 3), np.uint8)
    mask = np.zeros((40, 60), bool)
    mask[20:30, 30:50] = True

    drawn = draw_instances(
        image,
        boxes=np.array([[30.0, 20.0, 50.0, 30.0]]),
        masks=[mask],
        names=['mug'],
        colors=[(0, 0, 200)],
    )

    assert drawn.shape == (80, 120, 3)
    assert drawn[50, 80].tolist() == [0, 0, 80]  # 0.4 of the colour inside
    assert drawn[75, 10].tolist() == [0, 0, 0]
    assert drawn[40, 80, 2] > 100  # the box's upper edge
    assert image.max() == 0


def test_draw_instances__nothing_found__is_the_enlarged_picture():
    image = np.full((8, 8, 3), 7, np.uint8)

    drawn = draw_instances(image, np.zeros((0, 4)), [], [], [])

    assert (drawn == 7).all()


def test_draw_instances__boxes_alone__are_drawn_without_masks():
    image = np.zeros((40, 60, 3), np.uint8)

    drawn = draw_instances(
        image, np.array([[10.0, 20.0, 50.0, 30.0]]), [], ['cup'], [(0, 0, 200)], zoom=1
    )

    assert drawn.shape == image.shape
    assert drawn[30, 30, 2] > 150
    assert drawn[25, 30].tolist() == [0, 0, 0]


@pytest.mark.parametrize(('color', 'ink'), [((250, 250, 250), 0), ((90, 20, 20), 255)])
def test_draw_instances__name__is_written_in_what_can_be_read(color, ink):
    image = np.full((60, 90, 3), 128, np.uint8)

    drawn = draw_instances(image, np.array([[0.0, 30, 80, 59]]), [], ['mug'], [color])

    label = drawn[48:60, :30]
    assert (label == ink).all(axis=-1).any()
    assert not (label == 255 - ink).all(axis=-1).any()


def test_draw_instances__large_picture__has_thicker_lines():
    boxes = np.array([[100.0, 500.0, 2900.0, 900.0]])

    drawn = draw_instances(
        np.zeros((1000, 3000, 3), np.uint8), boxes, [], ['x'], [(0, 200, 0)], zoom=1
    )

    assert (drawn[880:920, 1500] == (0, 200, 0)).all(axis=-1).sum() >= 3


def test_draw_regions__two_labels__are_tinted_named_and_parted():
    image = np.full((60, 80, 3), 100, np.uint8)
    labels = np.zeros((60, 80), np.uint8)
    labels[:, 40:] = 3

    drawn = draw_regions(image, labels, {0: ('', (200, 0, 0)), 3: ('', (0, 0, 200))})

    assert drawn[2, 2].tolist() == [150, 50, 50]
    assert drawn[2, 77].tolist() == [50, 50, 150]
    assert (drawn[:, 40] == 255).all()
    assert (drawn[2, [38, 39, 41]] != 255).all()
    assert (image == 100).all()


def test_draw_regions__label_without_a_region__keeps_the_picture():
    image = np.full((6, 8, 3), 100, np.uint8)
    labels = np.full((6, 8), 900, np.int64)

    assert (draw_regions(image, labels, {2: ('a', (1, 2, 3))}) == 100).all()


def test_draw_regions__name__stands_where_its_region_is_widest():
    image = np.zeros((100, 200, 3), np.uint8)
    labels = np.zeros((100, 200), np.uint8)
    labels[50:52] = 1  # a thin bridge between two squares, the right one larger
    labels[40:60, 10:30] = 1
    labels[20:80, 120:180] = 1

    drawn = draw_regions(image, labels, {1: ('ii', (0, 0, 200))})

    solid = np.argwhere((drawn == (0, 0, 200)).all(axis=-1))
    assert abs(solid.mean(axis=0) - (50, 150)).max() < 4


def test_draw_regions__zoom__enlarges_labels_and_picture_alike():
    image = np.full((20, 20, 3), 100, np.uint8)
    labels = np.zeros((20, 20), np.uint8)
    labels[10:] = 1

    drawn = draw_regions(image, labels, {1: ('', (0, 0, 200))}, zoom=2)

    assert drawn.shape == (40, 40, 3)
    assert drawn[19, 0].tolist() == [100, 100, 100]
    assert drawn[22, 0].tolist() == [50, 50, 150]


def test_color_depth__near_and_far__are_the_ends_of_the_map():
    depth = np.array([[1.0, 3.0, np.nan, np.inf, 0.0, 9.0]])

    colors = color_depth(depth, 1, 3)[0].tolist()

    assert colors[0] == colors[4] == list(NEAR_COLOR)
    assert colors[1] == colors[5] == list(FAR_COLOR)
    assert colors[2] == colors[3] == [0, 0, 0]


def test_draw_depth__picture_depth_and_scale__stand_side_by_side():
    image = np.full((90, 120, 3), 50, np.uint8)
    depth = np.tile(np.linspace(2, 6, 120), (90, 1))

    drawn = draw_depth(image, depth)

    assert (drawn[:, :120] == 50).all()
    assert drawn[45, 126].tolist() == list(NEAR_COLOR)
    assert drawn[45, 126 + 119].tolist() == list(FAR_COLOR)
    bar = drawn[:, 120 + 6 + 120 + 6]
    assert bar[0].tolist() == list(FAR_COLOR)
    assert bar[-1].tolist() == list(NEAR_COLOR)
    assert (drawn[:, -60:] < 100).any()  # the metres


@pytest.mark.parametrize('value', [3.0, np.nan])
def test_draw_depth__one_depth_or_none__is_still_a_picture(value):
    drawn = draw_depth(np.zeros((8, 9, 3), np.uint8), np.full((8, 9), value))

    assert drawn.shape[0] == 8


def test_zoom_of__small_pictures_alone__are_enlarged():
    assert zoom_of(np.zeros((499, 10, 3))) == 2
    assert zoom_of(np.zeros((10, 500, 3))) == 1
