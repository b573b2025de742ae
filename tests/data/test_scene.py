"""Scenes know where their things and walls are."""

from dataclasses import replace

import numpy as np
import pytest

from pe_mm.data.scene import CLASSES, FLOOR, PALETTE, RUG, STUFF, WALL


def test_labels__things_then_stuff__are_consecutive_with_a_colour_each() -> None:
    names = CLASSES + STUFF

    assert len(set(names)) == len(names) == len(set(PALETTE)) == len(PALETTE)
    assert tuple(names.index(n) + 1 for n in STUFF) == (FLOOR, WALL, RUG)


def test_thing__stood_on_a_spot__rests_there_with_its_size(place) -> None:
    ball = place('ball', 1.0, 2.0, size=0.6)

    assert ball.center == pytest.approx([1, 2, 0.3], abs=1e-9)
    assert ball.radius == pytest.approx(0.3, rel=1e-3)
    assert ball.mesh.vertices == pytest.approx(ball.vertices)
    assert ball.label == CLASSES.index('ball') + 1


def test_planes__of_a_turned_room__are_positive_inside(scene_of, place) -> None:
    room = replace(scene_of(place('cube', 0, 0)).room, yaw=0.4)
    across, along = room.axes

    def inside(spot: np.ndarray, height: float = 1.0) -> bool:
        point = np.append(spot, height)
        return bool((room.planes[:, :3] @ point + room.planes[:, 3] > 0).all())

    assert inside(np.zeros(2))
    assert not inside(np.zeros(2), height=-0.1)
    assert inside(along * 5.9) and not inside(along * 6.1)
    assert inside(across * 7.9) and not inside(across * 8.1)
    assert inside(across * -7.9) and not inside(across * -8.1)
