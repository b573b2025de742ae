"""Triangles cover exactly the pixels whose centres they hold, nearest first."""

import numpy as np
import pytest

from pe_mm.data.meshes import Floats
from pe_mm.data.rasteriser import nearest, ragged_ranges, rasterise


def square(left: float, top: float, side: float, depth: float, size: int) -> Floats:
    """Two camera-facing triangles that show a square given in pixels (focal 1)."""
    low, high = np.array([left, top]), np.array([left + side, top + side])
    (x0, y0), (x1, y1) = ((corner / size - 0.5) * depth for corner in (low, high))
    a, b, c, d = [(x, y, depth) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    return np.array([(a, c, b), (a, d, c)][::1], dtype=float)


def draw(triangles: Floats, size: int = 16) -> tuple[Floats, Floats]:
    fragments = rasterise(triangles, focal=1.0, size=size)
    inverse, triangle = nearest(fragments, size * size)
    return inverse.reshape(size, size), triangle.reshape(size, size)


def test_rasterise__square_on_pixel_borders__covers_its_pixels_and_no_others() -> None:
    _, triangle = draw(square(3, 5, 4, depth=2.0, size=16))

    expected = np.zeros((16, 16), dtype=bool)
    expected[5:9, 3:7] = True
    assert np.array_equal(triangle >= 0, expected)


def test_rasterise__facing_away__is_not_drawn() -> None:
    _, triangle = draw(square(3, 5, 4, depth=2.0, size=16)[:, ::-1])

    assert (triangle == -1).all()


def test_rasterise__behind_the_camera__is_not_drawn() -> None:
    assert len(rasterise(np.full((1, 3, 3), -1.0), focal=1.0, size=8).pixel) == 0


def test_rasterise__beyond_the_border__is_cut() -> None:
    _, triangle = draw(square(-5, -5, 40, depth=2.0, size=16))

    assert (triangle >= 0).all()


def test_rasterise__slanted_plane__inverse_depth_is_exact() -> None:
    corners = np.array([[(-1.0, -1, 2), (-1, 1, 2), (1, 1, 4)]])
    fragments = rasterise(corners, focal=1.0, size=64)
    rows, columns = np.divmod(fragments.pixel, 64)
    x, y = (columns + 0.5) / 64 - 0.5, (rows + 0.5) / 64 - 0.5
    normal = np.cross(corners[0, 1] - corners[0, 0], corners[0, 2] - corners[0, 0])
    rays = np.stack([x, y, np.ones_like(x)])

    depth = normal @ corners[0, 0] / (normal @ rays)

    assert 1 / fragments.inverse_depth == pytest.approx(depth, rel=1e-6)


def test_nearest__two_squares__the_near_one_hides_the_far_one() -> None:
    far, near = square(2, 2, 8, 4.0, 16), square(6, 6, 8, 2.0, 16)

    for order in ((far, near), (near, far)):
        inverse, _ = draw(np.concatenate(order))

        assert inverse[7, 7] == pytest.approx(0.5)
        assert inverse[3, 3] == pytest.approx(0.25)
        assert inverse[0, 0] == 0


def test_ragged_ranges__with_empty_ones__skips_them() -> None:
    assert ragged_ranges(np.array([2, 0, 3])).tolist() == [0, 1, 0, 1, 2]
    assert ragged_ranges(np.array([], dtype=int)).tolist() == []
