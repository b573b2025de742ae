"""A pinhole camera for square pictures of any size.

World axes: x right, y away, z up, in metres. Camera axes: x right, y down, z along
the optical axis. Pixel i covers [i, i + 1), so its centre is at i + 0.5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .meshes import Floats


@dataclass(frozen=True)
class Camera:
    """Where a picture is taken from.

    Args:
        position: (3,) optical centre in the world.
        rotation: (3, 3) rows are the camera's axes in the world.
        focal: Focal length in picture widths.
    """

    position: Floats
    rotation: Floats
    focal: float

    @classmethod
    def look_at(
        cls, position: ArrayLike, target: ArrayLike, *, focal: float, roll: float = 0.0
    ) -> 'Camera':
        """Point a camera at a target; `roll` turns it clockwise, in radians."""
        origin = np.asarray(position, dtype=float)
        forward = np.asarray(target, dtype=float) - origin
        forward /= np.linalg.norm(forward)
        up = (0.0, 0.0, 1.0) if abs(forward[2]) < 0.999 else (0.0, 1.0, 0.0)
        right = np.cross(forward, up)
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        cosine, sine = np.cos(roll), np.sin(roll)
        rows = cosine * right + sine * down, cosine * down - sine * right, forward
        return cls(origin, np.stack(rows), focal)

    def to_camera(self, points: Floats) -> Floats:
        """Express world points (..., 3) in camera axes."""
        local = points - self.position
        # Written out: exact to the bit on any number of threads, unlike a product.
        terms = [
            axis[0] * local[..., 0] + axis[1] * local[..., 1] + axis[2] * local[..., 2]
            for axis in self.rotation
        ]
        return np.stack(terms, axis=-1)

    def project(self, points: Floats, size: int) -> Floats:
        """Map world points (..., 3) to (x pixels, y pixels, depth in metres)."""
        local = self.to_camera(points)
        depth = local[..., 2:]
        pixels = size * (0.5 + self.focal * local[..., :2] / depth)
        return np.concatenate([pixels, depth], axis=-1)

    def ray(self, x: float, y: float, size: int) -> Floats:
        """Return the world direction (3,) through a pixel, of depth 1."""
        local = np.array([x / size - 0.5, y / size - 0.5, self.focal]) / self.focal
        return local @ self.rotation
