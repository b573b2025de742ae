"""Detections are selected, rescaled and masked as in detectron2."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import nn

register_all_modules(init_default_scope=False)

K = 3
CFG = ConfigDict(
    score_thr=0.05,
    nms=dict(type='nms', iou_threshold=0.5),
    max_per_img=100,
    mask_thr_binary=0.5,
)
META = dict(img_shape=(40, 60), ori_shape=(79, 119), scale_factor=(0.5, 0.5))
PROPOSALS = [[0, 0, 10, 10], [20, 20, 30, 30], [40, 20, 60, 40]]


def extractor(size):
    return dict(
        type='SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=size, sampling_ratio=0),
        out_channels=2,
        featmap_strides=[4, 8, 16, 32],
    )


def build(*, sigmoid=False, agnostic=False, with_mask=False):
    box_loss = dict(type='CrossEntropyLoss', use_sigmoid=False)
    if sigmoid:
        box_loss = dict(type='pe_mm.FederatedLoss', num_classes=K)
    mask_parts = dict(
        mask_roi_extractor=extractor(4),
        mask_head=dict(
            type='FCNMaskHead',
            num_convs=0,
            in_channels=2,
            conv_out_channels=2,
            num_classes=K,
        ),
    )
    head = MODELS.build(
        dict(
            type='pe_mm.Detectron2RoIHead',
            _scope_='mmdet',
            bbox_roi_extractor=extractor(2),
            bbox_head=dict(
                type='ConvFCBBoxHead',
                num_shared_fcs=1,
                fc_out_channels=8,
                in_channels=2,
                roi_feat_size=2,
                num_classes=K,
                reg_class_agnostic=agnostic,
                loss_cls=box_loss,
                bbox_coder=dict(
                    type='pe_mm.Detectron2BBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]
                ),
            ),
            **(mask_parts if with_mask else {}),
            test_cfg=CFG,
        )
    )
    return head.eval()


def features(images=1):
    return tuple(torch.zeros(images, 2, 64 // s, 64 // s) for s in (4, 8, 16, 32))


def detect(
    head, logits, regressions=None, *, boxes=PROPOSALS, cfg=(), meta=META, rescale=False
):
    """Return the detections for chosen outputs of the box head."""
    boxes = torch.tensor(boxes).float()
    if regressions is None:
        regressions = torch.zeros(len(boxes), 4 * K)
    outputs = {'cls_score': torch.as_tensor(logits), 'bbox_pred': regressions}
    head._bbox_forward = lambda x, rois: outputs
    proposals = [InstanceData(bboxes=boxes)]
    test_cfg = ConfigDict({**CFG, **dict(cfg)})
    (found,) = head.predict_bbox(features(), [meta], proposals, test_cfg, rescale)
    return found


def test_boxes__softmax__all_classes_above_the_threshold_compete_with_background() -> (
    None
):
    found = detect(build(), [[3.0, 2, 0, 0], [0, 0, 0, 9], [0, 0, 4, 0]])
    weights = [math.exp(3), math.exp(2), 1, 1]
    scores = [w / sum(weights) for w in weights]
    last = math.exp(4) / (math.exp(4) + 3)
    # Both classes of the first proposal, but none below 0.05 and no background.
    assert found.labels.tolist() == [2, 0, 1]
    assert found.scores.tolist() == pytest.approx([last, *scores[:2]], abs=1e-6)
    expected = [PROPOSALS[2], PROPOSALS[0], PROPOSALS[0]]
    assert found.bboxes.tolist() == expected


def test_boxes__sigmoid__classes_are_scored_each_for_itself() -> None:
    logits = [[3.0, 2, -9], [-9, -9, -9], [-9, -9, 4]]
    found = detect(build(sigmoid=True), logits)
    assert found.labels.tolist() == [2, 0, 1]
    scores = [1 / (1 + math.exp(-x)) for x in (4, 3, 2)]
    assert found.scores.tolist() == pytest.approx(scores, abs=1e-6)


def test_boxes__score_of_exactly_the_threshold__is_left_out() -> None:
    logits = [[0.0, -9, -9], [0.1, -9, -9], [-0.1, -9, -9]]
    found = detect(build(sigmoid=True), logits, cfg={'score_thr': 0.5})
    assert found.bboxes.tolist() == [PROPOSALS[1]]


def test_boxes__deltas_of_the_class__are_those_applied() -> None:
    regressions = torch.zeros(3, 4 * K)
    # dx of class 1: half of a width.
    regressions[0, 4] = 5
    found = detect(build(), [[9.0, 9, 0, 0], [0, 0, 0, 9], [0, 0, 0, 9]], regressions)
    boxes = dict(zip(found.labels.tolist(), found.bboxes.tolist(), strict=True))
    assert boxes == {0: [0, 0, 10, 10], 1: [5, 0, 15, 10]}


def test_boxes__class_agnostic_deltas__serve_every_class() -> None:
    regressions = torch.tensor([[5.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    logits = [[9.0, 9, 0, 0], [0, 0, 0, 9], [0, 0, 0, 9]]
    found = detect(build(agnostic=True), logits, regressions)
    assert found.bboxes.tolist() == [[5, 0, 15, 10]] * 2
    assert sorted(found.labels.tolist()) == [0, 1]


def test_boxes__same_place__are_suppressed_within_their_class() -> None:
    logits = [[3.0, -9, -9], [2.0, 1, -9]]
    boxes = [[0, 0, 10, 10], [0, 0, 10, 6]]
    found = detect(build(sigmoid=True), logits, torch.zeros(2, 4 * K), boxes=boxes)
    assert found.labels.tolist() == [0, 1]
    assert found.bboxes.tolist() == boxes


def test_boxes__more_than_max_per_img__the_best_stay() -> None:
    logits = [[1.0, -9, -9], [2.0, -9, -9], [3.0, 2.5, -9]]
    head = build(sigmoid=True)
    found = detect(head, logits, cfg={'max_per_img': 2})
    assert found.labels.tolist() == [0, 1]
    assert found.bboxes.tolist() == [PROPOSALS[2]] * 2
    assert len(detect(head, logits, cfg={'max_per_img': -1})) == 4


def test_boxes__row_that_is_not_finite__is_dropped() -> None:
    logits = [[1.0, 1, -9], [2.0, math.nan, -9], [3.0, -9, -9]]
    regressions = torch.zeros(3, 4 * K)
    regressions[2, 11] = math.nan
    found = detect(build(sigmoid=True), logits, regressions)
    assert found.bboxes.tolist() == [PROPOSALS[0]] * 2


def test_boxes__rescaled__are_clipped_to_the_original_image_and_dropped() -> None:
    # 60 * 2 is beyond the original 119; the second box has no height.
    boxes = [[40, 20, 60, 40], [20, 40, 30, 40], [0, 0, 10, 10]]
    logits = [[1.0, -9, -9], [3.0, -9, -9], [2.0, -9, -9]]
    head = build(sigmoid=True)
    found = detect(head, logits, boxes=boxes, rescale=True)
    assert found.bboxes.tolist() == [[0, 0, 20, 20], [80, 40, 119, 79]]
    # The empty box is among the best all the same, and only then dropped.
    found = detect(head, logits, boxes=boxes, rescale=True, cfg={'max_per_img': 2})
    assert found.bboxes.tolist() == [[0, 0, 20, 20]]
    found = detect(head, logits, boxes=boxes)
    assert found.bboxes.tolist()[0] == [20, 40, 30, 40]


def test_boxes__no_proposals__give_no_detections() -> None:
    head = build(with_mask=True)
    proposals = [InstanceData(bboxes=torch.zeros(0, 4))]
    (found,) = head.predict_bbox(features(), [META], proposals, CFG)
    assert found.bboxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)
    (found,) = head.predict_mask(features(), [META], [found], rescale=True)
    assert found.masks.shape == (0, 79, 119)


def test_boxes__without_a_test_config__are_those_of_all_rois_and_classes() -> None:
    head = build()
    proposals = [InstanceData(bboxes=torch.tensor(PROPOSALS).float())]
    (raw,) = head.predict_bbox(features(), [META], proposals, None)
    assert raw.bboxes.shape == (3, 4 * K)
    assert raw.scores.shape == (3, K + 1)


def paste(mask, box, height, width):
    """Return a mask sampled at the centres of pixels, as a whole picture."""
    x1, y1, x2, y2 = box
    xs = (torch.arange(width) + 0.5 - x1) / (x2 - x1) * 2 - 1
    ys = (torch.arange(height) + 0.5 - y1) / (y2 - y1) * 2 - 1
    grid = torch.stack(torch.meshgrid(xs, ys, indexing='xy'), dim=-1)
    return F.grid_sample(mask[None, None], grid[None], align_corners=False)[0, 0] >= 0.5


def test_masks__rescaled__fill_the_clipped_boxes_of_the_original_image() -> None:
    head = build(with_mask=True)
    logits = 4 * torch.randn(3, K, 8, 8)
    head._mask_forward = lambda x, rois: {'mask_preds': logits[: len(rois)]}
    found = InstanceData(
        bboxes=torch.tensor([[40.0, 20, 60, 40], [20, 40, 30, 40], [1, 2, 11, 9]]),
        scores=torch.tensor([0.9, 0.8, 0.7]),
        labels=torch.tensor([2, 0, 1]),
    )
    (found,) = head.predict_mask(features(), [META], [found], rescale=True)
    boxes = [[80, 40, 119, 79], [2, 4, 22, 18]]
    assert found.bboxes.tolist() == boxes
    assert found.labels.tolist() == [2, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    masks = logits.sigmoid()
    assert torch.equal(found.masks[0], paste(masks[0, 2], boxes[0], 79, 119))
    assert torch.equal(found.masks[1], paste(masks[2, 1], boxes[1], 79, 119))
    assert found.masks.any(dim=(1, 2)).all()


def test_masks__not_rescaled__are_in_the_resized_image() -> None:
    head = build(with_mask=True)
    logits = 4 * torch.randn(1, K, 8, 8)
    head._mask_forward = lambda x, rois: {'mask_preds': logits[: len(rois)]}
    box = torch.tensor([[10.0, 20, 30, 40]])
    found = InstanceData(bboxes=box.clone(), labels=torch.tensor([1]))
    meta = META | {'ori_shape': (80, 120)}
    (found,) = head.predict_mask(features(), [meta], [found], rescale=False)
    assert torch.equal(found.bboxes, box)
    expected = paste(logits[0, 1].sigmoid(), box[0].tolist(), 40, 60)
    assert torch.equal(found.masks[0], expected)


def test_predict__two_images__each_get_their_own() -> None:
    head = build(with_mask=True)
    x = tuple(torch.randn(2, 2, 64 // s, 64 // s) for s in (4, 8, 16, 32))
    nn.init.normal_(head.bbox_head.fc_cls.weight)
    boxes = torch.tensor(PROPOSALS).float()
    proposals = [InstanceData(bboxes=boxes), InstanceData(bboxes=boxes[:2])]
    metas = [META, META | {'ori_shape': (160, 240), 'scale_factor': (0.25, 0.25)}]

    def predict(images):
        results = head.predict_bbox(
            tuple(level[images] for level in x),
            [metas[i] for i in images],
            [proposals[i] for i in images],
            CFG,
        )
        return head.predict_mask(
            tuple(level[images] for level in x),
            [metas[i] for i in images],
            results,
            rescale=True,
        )

    with torch.no_grad():
        both = predict([0, 1])
        for i in (0, 1):
            (alone,) = predict([i])
            assert len(alone) > 0
            torch.testing.assert_close(both[i].bboxes, alone.bboxes)
            torch.testing.assert_close(both[i].scores, alone.scores)
            assert torch.equal(both[i].masks, alone.masks)
    assert both[1].masks.shape[1:] == (160, 240)


def test_roi_levels__mmdets_formula__is_detectron2s() -> None:
    layer = build().bbox_roi_extractor
    sides = torch.tensor(
        # Both ends of each level, and non-square boxes of just such an area.
        [(s, s) for s in (1, 55.99, 56, 111.99, 112, 223.9, 224, 447.9, 448, 1024)]
        + [(28, 112), (49, 64), (98, 128), (14, 896), (1000, 1)]
    )
    random = torch.rand(10_000, 2) * 1024 + 0.01
    sides = torch.cat([sides, random, torch.zeros(1, 2)])
    rois = torch.cat([torch.zeros(len(sides), 3), sides], dim=1)
    # floor(4 + log2(sqrt(area) / 224 + 1e-8)), levels 2 to 5.
    exponents = 4 + torch.log2(sides.prod(dim=1).sqrt() / 224 + 1e-8)
    expected = exponents.floor().clamp(2, 5).long() - 2
    assert torch.equal(layer.map_roi_levels(rois, 4), expected)
    assert expected[:15].tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1, 0]
