"""Boxes are decoded as in detectron2."""

import math

import pytest
import torch
from mmdet.models.task_modules import DeltaXYWHBBoxCoder
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.registry import TASK_UTILS

from pe_mm.detection import Detectron2BBoxCoder

# Centre (30, 50), 20 wide, 40 high.
BOX = torch.tensor([[20.0, 30.0, 40.0, 70.0]])
ROI_STDS = (0.1, 0.1, 0.2, 0.2)


def test_decode__deltas__move_and_scale_the_box() -> None:
    deltas = torch.tensor([[0.5, -0.25, math.log(2), math.log(0.5)]])
    # Centre (40, 40), 40 wide, 20 high.
    expected = torch.tensor([[20.0, 30.0, 60.0, 50.0]])
    torch.testing.assert_close(Detectron2BBoxCoder().decode(BOX, deltas), expected)


def test_decode__stds_and_means__are_applied_to_the_deltas() -> None:
    coder = Detectron2BBoxCoder((0.0, 0.0, 0.0, 1.0), ROI_STDS)
    # dx 0.5, dy 0, dw 0, dh 0.
    deltas = torch.tensor([[5.0, 0.0, 0.0, -5.0]])
    expected = torch.tensor([[30.0, 30.0, 50.0, 70.0]])
    torch.testing.assert_close(coder.decode(BOX, deltas), expected)


def test_decode__growth__is_bounded() -> None:
    deltas = torch.tensor([[0.0, 0.0, 50.0, math.log(1000 / 16) - 0.01]])
    (decoded,) = Detectron2BBoxCoder().decode(BOX, deltas)
    assert decoded[2] - decoded[0] == pytest.approx(20 * 1000 / 16, rel=1e-5)
    grown = 40 * 1000 / 16 * math.exp(-0.01)
    assert decoded[3] - decoded[1] == pytest.approx(grown, rel=1e-5)


def test_decode__shrinkage__is_not_bounded_as_in_mmdet() -> None:
    deltas = torch.tensor([[0.0, 0.0, -6.0, -6.0]])
    (ours,) = Detectron2BBoxCoder().decode(BOX, deltas)
    (mmdets,) = DeltaXYWHBBoxCoder().decode(BOX, deltas)
    assert ours[3] - ours[1] == pytest.approx(40 * math.exp(-6), rel=1e-3)
    assert mmdets[3] - mmdets[1] == pytest.approx(40 * 16 / 1000, rel=1e-3)


def test_decode__image_size__clips_each_axis_to_its_side() -> None:
    boxes = torch.tensor([[-5.0, -6.0, 80.0, 90.0], [60.0, 70.0, 90.0, 95.0]])
    decoded = Detectron2BBoxCoder().decode(boxes, torch.zeros(2, 4), max_shape=(64, 48))
    # The second is all outside: an empty box in the corner.
    expected = torch.tensor([[0.0, 0.0, 48.0, 64.0], [48.0, 64.0, 48.0, 64.0]])
    torch.testing.assert_close(decoded, expected)
    kept = Detectron2BBoxCoder(clip_border=False).decode(
        boxes, torch.zeros(2, 4), max_shape=(64, 48)
    )
    torch.testing.assert_close(kept, boxes)


def test_decode__deltas_of_classes__are_class_major() -> None:
    deltas = torch.randn(6, 12)
    boxes = torch.rand(6, 4) * 10 + torch.tensor([0.0, 0.0, 20.0, 20.0])
    coder = Detectron2BBoxCoder(target_stds=ROI_STDS)
    decoded = coder.decode(boxes, deltas, max_shape=(25, 35))
    assert decoded.shape == (6, 12)
    for k in range(3):
        columns = slice(4 * k, 4 * k + 4)
        alone = coder.decode(boxes, deltas[:, columns], max_shape=(25, 35))
        assert torch.equal(decoded[:, columns], alone)


def test_decode__moderate_deltas__equal_mmdets() -> None:
    deltas = torch.randn(50, 8)
    boxes = torch.rand(50, 4) * 100 + torch.tensor([0.0, 0.0, 100.0, 100.0])
    ours = Detectron2BBoxCoder(target_stds=ROI_STDS)
    mmdets = DeltaXYWHBBoxCoder(target_stds=ROI_STDS)
    torch.testing.assert_close(
        ours.decode(boxes, deltas, max_shape=(150, 190)),
        # mmdet's wants one box per row of deltas.
        mmdets.decode(
            boxes.repeat_interleave(2, 0), deltas.view(-1, 4), max_shape=(150, 190)
        ).view(50, 8),
    )
    torch.testing.assert_close(
        ours.encode(boxes, boxes + 3), mmdets.encode(boxes, boxes + 3)
    )


def test_decode__half_precision_deltas__are_computed_in_float32() -> None:
    boxes = torch.tensor([[1000.0, 1000.0, 1001.0, 1001.0]])
    deltas = torch.full((1, 4), 0.125, dtype=torch.float16)
    decoded = Detectron2BBoxCoder().decode(boxes, deltas)
    assert decoded.dtype == torch.float32
    expected = Detectron2BBoxCoder().decode(boxes, deltas.float())
    assert torch.equal(decoded, expected)


def test_decode__no_boxes__gives_none() -> None:
    decoded = Detectron2BBoxCoder().decode(torch.zeros(0, 4), torch.zeros(0, 12))
    assert decoded.shape == (0, 12)


def test_coder__built_from_a_config__takes_and_returns_mmdets_boxes() -> None:
    coder = TASK_UTILS.build(dict(type='pe_mm.Detectron2BBoxCoder', use_box_type=True))
    decoded = coder.decode(HorizontalBoxes(BOX), torch.zeros(1, 4))
    assert isinstance(decoded, HorizontalBoxes)
    torch.testing.assert_close(decoded.tensor, BOX)


def test_coder__option_that_detectron2_lacks__is_an_error() -> None:
    with pytest.raises(TypeError, match='add_ctr_clamp'):
        Detectron2BBoxCoder(add_ctr_clamp=True)
