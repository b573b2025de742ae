"""The camera projects as a pinhole does."""

import numpy as np
import pytest

from pe_mm.data.camera import Camera


def test_look_at__target__is_in_the_middle_at_its_distance() -> None:
    camera = Camera.look_at((1, -4, 3), (0, 1, 0), focal=1.3)

    x, y, depth = camera.project(np.array([0.0, 1.0, 0.0]), 200)

    assert (x, y) == pytest.approx((100, 100))
    assert depth == pytest.approx(np.sqrt(1 + 25 + 9))


def test_project__right_and_up__go_right_and_up_in_the_picture() -> None:
    camera = Camera.look_at((0, -5, 0), (0, 0, 0), focal=1.0)

    x, y, depth = camera.project(np.array([1.0, 0.0, 2.0]), 100)

    # 1 m at 5 m is a fifth of the focal length, which is the picture's width.
    assert (x, y, depth) == pytest.approx((50 + 20, 50 - 40, 5))


def test_project__twice_the_depth__is_half_as_large() -> None:
    camera = Camera.look_at((0, -5, 0), (0, 0, 0), focal=1.0)

    near, far = camera.project(np.array([(1.0, 0, 0), (1.0, 5, 0)]), 100)[:, 0] - 50

    assert far == pytest.approx(near / 2)


def test_ray__projected_again__hits_its_pixel() -> None:
    camera = Camera.look_at((1, -4, 3), (0, 1, 0), focal=1.3, roll=0.2)

    point = camera.position + 7 * camera.ray(30, 80, 128)

    assert camera.project(point, 128) == pytest.approx([30, 80, 7])


def test_rotation__rolled__stays_orthonormal() -> None:
    camera = Camera.look_at((1, -4, 3), (0, 1, 0), focal=1.3, roll=0.2)

    assert camera.rotation @ camera.rotation.T == pytest.approx(np.eye(3))
    assert np.linalg.det(camera.rotation) == pytest.approx(1)


def test_look_at__straight_down__is_defined() -> None:
    camera = Camera.look_at((0, 0, 9), (0, 0, 0), focal=1.0)

    assert camera.project(np.zeros(3), 100) == pytest.approx([50, 50, 9])
