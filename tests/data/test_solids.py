"""Every class has a mesh of one size that stands on the floor."""

import numpy as np
import pytest

from pe_mm.data.camera import Camera
from pe_mm.data.rasteriser import rasterise
from pe_mm.data.solids import SOLIDS, unit_mesh


def test_solids__number_of_classes__is_at_least_twelve() -> None:
    assert len(SOLIDS) >= 12


@pytest.mark.parametrize('name', SOLIDS)
def test_unit_mesh__every_class__stands_centred_with_extent_one(name: str) -> None:
    low, high = unit_mesh(name).vertices.min(0), unit_mesh(name).vertices.max(0)

    assert (high - low).max() == pytest.approx(1)
    assert low[2] == pytest.approx(0)
    assert (low + high)[:2] == pytest.approx([0, 0], abs=1e-9)


def test_unit_mesh__asked_twice__is_built_once() -> None:
    assert unit_mesh('mug') is unit_mesh('mug')


def test_solids__silhouettes_from_the_front__differ_between_classes() -> None:
    camera = Camera.look_at((1.2, -3, 1.6), (0, 0, 0.4), focal=2)
    masks = {}
    for name in SOLIDS:
        local = camera.to_camera(unit_mesh(name).triangles)
        mask = np.zeros(64 * 64, dtype=bool)
        mask[rasterise(local, focal=2, size=64).pixel] = True
        masks[name] = mask
    names = list(masks)
    for k, a in enumerate(names):
        for b in names[k + 1 :]:
            shared = (masks[a] & masks[b]).sum()
            union = (masks[a] | masks[b]).sum()
            assert shared / union < 0.86, (a, b)
