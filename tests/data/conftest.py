"""Small demo data and scenes that many tests look at."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pe_mm.data.camera import Camera
from pe_mm.data.demo_scenes import make_demo_data
from pe_mm.data.sampler import sample_material, stand
from pe_mm.data.scene import Lamp, Room, Scene, Surface, Thing


@pytest.fixture(scope='session')
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished demo data; tests must not change it."""
    root = tmp_path_factory.mktemp('demo') / 'data'
    return make_demo_data(root, train=4, val=2, clips=2, size=96, frames=3, workers=1)


@pytest.fixture
def place() -> Callable[..., Thing]:
    """Stand a thing upright on a spot, its front towards -y."""

    def stand_at(name: str, x: float, y: float, size: float = 1.0) -> Thing:
        material = sample_material(np.random.default_rng(0))
        return stand(name, np.eye(3), -np.pi / 2, np.array([x, y]), size, material)

    return stand_at


@pytest.fixture
def scene_of() -> Callable[..., Scene]:
    """Put things into a plain room, seen from y = -5."""
    plain = Surface('plain', np.full((2, 3), 0.5), 1.0, np.zeros(2))
    room = Room(
        yaw=0.0,
        back=6.0,
        left=8.0,
        right=8.0,
        skirting=0.2,
        skirting_albedo=np.full(3, 0.3),
        floor=plain,
        wall=plain,
        rug=None,
    )
    lamp = Lamp(np.array([-3.0, -4.0, 5.0]), np.ones(3), np.full(3, 0.3), 0.03)
    camera = Camera.look_at((0, -5, 2), (0, 0, 0.5), focal=1.3)
    return lambda *things: Scene(things, room, lamp, camera)
