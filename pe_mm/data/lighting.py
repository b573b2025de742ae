"""Light on visible points: soft shadows from the lamp and from all around."""

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Camera
from .meshes import Array, Floats
from .rasteriser import NEAR, nearest, rasterise
from .scene import Lamp
from .textures import sample

LAMP_TEXELS = 384
SKY_TEXELS = 160
FAR = 1e3  # Metres; nothing outside a shadow map casts a shadow.
SKY_HEIGHT = 25.0  # Metres; so high that the light from above is nearly parallel.


@dataclass(frozen=True)
class ShadowMap:
    """Blurred depths seen from a light, whose spread tells soft shadows.

    A point farther than the mean depth is lit with the probability that Chebyshev's
    inequality leaves for it.

    Args:
        camera: The light as a camera.
        moments: (S, S, 2) blurred depth and squared depth, relative to `reference`.
        reference: Depth of the middle of the scene in metres.
        bias: Depth in metres by which a surface may shadow itself.
    """

    camera: Camera
    moments: Array
    reference: float
    bias: float

    @classmethod
    def cast(
        cls,
        triangles: Floats,
        position: Floats,
        *,
        texels: int,
        blur: float,
        bias: float,
    ) -> 'ShadowMap':
        """Draw the shadows of triangles.

        Args:
            triangles: (T, 3, 3) in the world.
            position: (3,) of the light.
            texels: Side of the map.
            blur: Softness in metres at the scene.
            bias: Depth in metres by which a surface may shadow itself.
        """
        low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
        middle = (low + high) / 2
        reach = float(np.linalg.norm(high - low)) / 2 + 4 * blur
        distance = float(np.linalg.norm(position - middle))
        focal = 0.5 * np.sqrt(max(distance**2 - reach**2, 0.25)) / reach
        camera = Camera.look_at(position, middle, focal=focal)
        fragments = rasterise(camera.to_camera(triangles), focal=focal, size=texels)
        inverse, _ = nearest(fragments, texels * texels)
        inverse = np.maximum(inverse.reshape(texels, texels), _floor(camera, texels))
        depth = 1 / inverse - np.float32(distance)
        sigma = max(blur * focal / distance * texels, 0.7)
        moments = cv2.GaussianBlur(np.dstack([depth, depth**2]), (0, 0), sigma)
        return cls(camera, moments, distance, bias)

    def lit(self, points: Array) -> Array:
        """Share of the light, 0 to 1, that reaches (3, N) points in the world."""
        camera, texels = self.camera, len(self.moments)
        offset = (camera.rotation @ camera.position).astype(np.float32)
        x, y, depth = transform(camera.rotation, points) - offset[:, None]
        scale = np.float32(texels * camera.focal) / np.maximum(depth, NEAR)
        center = np.float32(texels / 2 - 0.5)
        columns, rows = x * scale + center, y * scale + center
        texel = sample(self.moments, columns, rows, outside=(FAR, FAR * FAR))
        mean, square = np.ascontiguousarray(texel.T)
        behind = depth - np.float32(self.reference + self.bias) - mean
        variance = np.maximum(square - mean * mean, np.float32(2e-4))
        chance = variance / (variance + np.square(behind))
        # Cutting the tail removes the light that leaks between two shadows.
        chance = np.clip((chance - 0.2) / 0.8, 0, 1)
        return np.where(behind <= 0, np.float32(1), chance)


def _floor(camera: Camera, texels: int) -> Array:
    """Inverse depth of the floor in a light's view, at least 1 / 100 m."""
    slopes = -camera.rotation[:, 2] / camera.position[2]
    steps = ((np.arange(texels) + 0.5) / texels - 0.5) / camera.focal
    columns = (slopes[0] * steps + slopes[2]).astype(np.float32)
    inverse = columns + (slopes[1] * steps).astype(np.float32)[:, None]
    return np.maximum(inverse, np.float32(0.01))


class Lighting:
    """The light of a scene, ready to shine on visible points."""

    def __init__(self, lamp: Lamp, triangles: Floats) -> None:
        """Cast the shadows of triangles (T, 3, 3)."""
        self.lamp = lamp
        self.shadow = ShadowMap.cast(
            triangles, lamp.position, texels=LAMP_TEXELS, blur=lamp.blur, bias=0.03
        )
        middle = (triangles.min(axis=(0, 1)) + triangles.max(axis=(0, 1))) / 2
        self.sky = ShadowMap.cast(
            triangles,
            np.array([middle[0], middle[1], SKY_HEIGHT]),
            texels=SKY_TEXELS,
            blur=0.16,
            bias=0.05,
        )

    def shade(
        self,
        points: Array,
        normals: Array,
        albedo: Array,
        view: Array | None = None,
        *,
        gloss: float = 0.0,
        shininess: float = 1.0,
    ) -> Array:
        """Return the light (3, N) that points send to the camera, linear RGB.

        Args:
            points: (3, N) in the world.
            normals: (3, N) or (3, 1) unit normals.
            albedo: (3, N) or (3, 1) linear RGB.
            view: (3, N) unit directions to the camera; needed for a highlight.
            gloss: Strength of the highlight, 0 to 1.
            shininess: Sharpness of the highlight.
        """
        to_lamp = self.lamp.position.astype(np.float32)[:, None] - points
        square = dot(to_lamp, to_lamp)
        to_lamp /= np.sqrt(square)
        cosine = np.maximum(dot(normals, to_lamp), 0)
        beam = self.shadow.lit(points) * (np.float32(self.shadow.reference**2) / square)
        # Light bounced off the floor fills what looks down.
        sky = (0.55 + 0.45 * normals[2]) * (0.4 + 0.6 * self.sky.lit(points))
        light = self.lamp.color.astype(np.float32)[:, None] * (beam * cosine)
        light += self.lamp.ambient.astype(np.float32)[:, None] * sky
        light *= albedo
        if view is not None and gloss > 0:
            halfway = to_lamp + view
            shine = dot(halfway, normals) / np.sqrt(dot(halfway, halfway))
            shine = np.maximum(shine, 0) ** np.float32(shininess)
            light += np.float32(gloss) * shine * beam * (cosine > 0)
        return light


def dot(a: Array, b: Array) -> Array:
    """Inner products of the columns of (3, N) arrays."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def transform(matrix: Floats, points: Array) -> Array:
    """Apply a (K, K) matrix to the columns of a (K, N) array.

    Written out, because a threaded matrix product may round differently from run to
    run, and pictures must not.
    """
    rows = matrix.astype(np.float32)
    terms = [sum(a * p for a, p in zip(row, points, strict=True)) for row in rows]
    return np.stack(terms)
