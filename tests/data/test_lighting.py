"""Shadows fall where they must, and are soft."""

import numpy as np
import pytest

from pe_mm.data.lighting import Lighting, ShadowMap, dot, transform
from pe_mm.data.scene import Lamp


def floor_points(x: list[float]) -> np.ndarray:
    return np.array([x, [0.0] * len(x), [0.0] * len(x)], dtype=np.float32)


@pytest.fixture
def shadow(place) -> ShadowMap:
    """A cube of 1 m on the origin, lit from far on the left at 45 degrees."""
    triangles = place('cube', 0, 0).mesh.triangles
    position = np.array([-20.0, 0.0, 20.0])
    return ShadowMap.cast(triangles, position, texels=256, blur=0.02, bias=0.02)


def test_shadow__of_a_cube__is_as_long_as_the_cube_is_high(shadow) -> None:
    lit = shadow.lit(floor_points([-3, -0.8, 0.7, 1.2, 1.9, 3]))

    assert lit == pytest.approx([1, 1, 0, 0, 1, 1], abs=0.05)


def test_shadow__at_its_border__is_between(shadow) -> None:
    # The shadow ends near x = 1.5; a soft border is a few centimetres wide.
    lit = shadow.lit(floor_points(list(np.linspace(1.3, 1.8, 200))))

    assert ((lit > 0.2) & (lit < 0.8)).any()
    assert (np.diff(lit) > -0.02).all()


def test_shadow__on_the_lit_sides__does_not_fall(shadow) -> None:
    top = np.array([[0.0], [0.0], [1.0]], dtype=np.float32)
    side = np.array([[-0.5], [0.0], [0.5]], dtype=np.float32)

    assert shadow.lit(top) > 0.9
    assert shadow.lit(side) > 0.9


def test_shadow__outside_the_map__does_not_fall(shadow) -> None:
    assert shadow.lit(floor_points([-30, 60])) == pytest.approx([1, 1])


def test_shade__turned_away_from_the_lamp__leaves_the_ambient_light(place) -> None:
    lamp = Lamp(np.array([0.0, 0.0, 6.0]), np.ones(3), np.full(3, 0.25), 0.02)
    lighting = Lighting(lamp, place('cube', 0, 0).mesh.triangles)
    point = np.array([[3.0], [0.0], [0.5]], dtype=np.float32)
    down, up = (np.array([[0.0], [0.0], [z]], dtype=np.float32) for z in (-1.0, 1.0))
    white = np.ones((3, 1), dtype=np.float32)

    below, above = lighting.shade(point, down, white), lighting.shade(point, up, white)

    assert below == pytest.approx(np.full((3, 1), 0.025), rel=0.05)
    assert (above > 0.5).all()


def test_transform__against_a_matrix_product__agrees() -> None:
    rng = np.random.default_rng(0)
    matrix, points = rng.normal(size=(3, 3)), rng.normal(size=(3, 10))

    assert transform(matrix, points) == pytest.approx(matrix @ points, abs=1e-5)
    assert dot(points, points) == pytest.approx((points * points).sum(axis=0))
