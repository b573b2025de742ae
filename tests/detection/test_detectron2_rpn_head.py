"""Proposals and RPN losses as in detectron2, on two small levels."""

import math

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import InstanceData

register_all_modules(init_default_scope=False)

# 3 anchors per cell of 4 x 4 and 2 x 2 cells: 8 and 16 pixels wide, ratios 0.5, 1, 2.
SIZES = ((4, 4), (2, 2))
CFG = dict(
    nms_pre=1000,
    max_per_img=1000,
    nms=dict(type='nms', iou_threshold=0.7),
    min_bbox_size=0,
)
META = dict(
    img_shape=(16, 16),
    pad_shape=(16, 16),
    ori_shape=(32, 30),
    scale_factor=(0.5, 0.5),
)


@pytest.fixture(scope='module')
def head():
    return MODELS.build(
        dict(
            type='pe_mm.Detectron2RPNHead',
            _scope_='mmdet',
            in_channels=4,
            feat_channels=4,
            num_convs=2,
            anchor_generator=dict(
                type='AnchorGenerator', scales=[2], ratios=[0.5, 1, 2], strides=[4, 8]
            ),
            bbox_coder=dict(type='pe_mm.Detectron2BBoxCoder'),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
            loss_bbox=dict(type='L1Loss'),
            train_cfg=ConfigDict(
                assigner=dict(
                    type='pe_mm.Detectron2Assigner', pos_iou_thr=0.7, neg_iou_thr=0.3
                ),
                sampler=dict(
                    type='RandomSampler',
                    num=256,
                    pos_fraction=0.5,
                    neg_pos_ub=-1,
                    add_gt_as_proposals=False,
                ),
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
            test_cfg=ConfigDict(CFG),
        )
    )


def logits(value=-10.0):
    """Return the objectness of every anchor, to be changed by hand."""
    return [torch.full((1, 3, *size), value) for size in SIZES]


def deltas():
    return [torch.zeros(1, 12, *size) for size in SIZES]


def propose(head, scores, regressions=None, *, meta=(), rescale=False, **cfg):
    (results,) = head.predict_by_feat(
        scores,
        regressions or deltas(),
        batch_img_metas=[META | dict(meta)],
        cfg=ConfigDict(CFG | cfg),
        rescale=rescale,
    )
    return results


def test_proposals__anchors__are_centred_at_the_corners_of_cells(head) -> None:
    scores = logits()
    # The square anchor of the cell in row 1 and column 2, and of one on level 2.
    scores[0][0, 1, 1, 2] = 2.0
    scores[1][0, 1, 1, 1] = 1.0
    found = propose(head, scores, max_per_img=2)
    assert found.bboxes.tolist() == [[4, 0, 12, 8], [0, 0, 16, 16]]
    expected = [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-1))]
    assert found.scores.tolist() == pytest.approx(expected, abs=1e-6)
    assert found.labels.tolist() == [0, 0]


def test_proposals__deltas__belong_to_their_anchor(head) -> None:
    scores, regressions = logits(), deltas()
    scores[0][0, 2, 2, 2] = 5.0
    # Ratio 2: half the width by twice the height of ratio 1/2; dx of the third anchor.
    regressions[0][0, 8, 2, 2] = 0.5
    (box,) = propose(head, scores, regressions, max_per_img=1).bboxes.tolist()
    half = 4 / math.sqrt(2)
    centre = 8 + 0.5 * 2 * half
    expected = [centre - half, 8 - 2 * half, centre + half, 8 + 2 * half]
    assert box == pytest.approx(expected, abs=1e-5)


def test_proposals__logits_whose_probability_is_1__are_ranked(head) -> None:
    scores = logits()
    scores[0][0, 1, 1, 1] = 40.0
    scores[0][0, 1, 2, 2] = 41.0
    assert scores[0].sigmoid().eq(1).sum() == 2
    found = propose(head, scores, nms_pre=1)
    assert found.bboxes[0].tolist() == [4, 4, 12, 12]
    assert [2, 2] not in found.bboxes[:, :2].tolist()
    assert found.scores[0] == 1
    # The better one suppresses its neighbour also where its index is higher.
    kept = propose(head, scores, nms=dict(type='nms', iou_threshold=0.1), max_per_img=1)
    assert kept.bboxes.tolist() == [[4, 4, 12, 12]]


def test_proposals__more_anchors_than_nms_pre__are_cut_on_each_level(head) -> None:
    scores = logits()
    # All of the first level are better than the second's.
    scores[0] += torch.linspace(20, 21, 48).view(1, 3, 4, 4)
    scores[1] += torch.linspace(0, 1, 12).view(1, 3, 2, 2)
    found = propose(head, scores, nms_pre=5, nms=dict(type='nms', iou_threshold=1.0))
    assert len(found) == 10
    values = found.scores.logit()
    assert (values > 5).sum() == 5
    assert values.tolist() == sorted(values.tolist(), reverse=True)


def test_proposals__levels__do_not_suppress_each_other(head) -> None:
    scores, regressions = logits(-30.0), deltas()
    scores[0][0, 1, 2, 2] = scores[1][0, 1, 1, 1] = 3.0
    # On level 1 twice as wide and high, and so the same box.
    regressions[0][0, 6:8, 2, 2] = math.log(2)
    found = propose(head, scores, regressions, nms_pre=1)
    assert found.bboxes.tolist() == [[0, 0, 16, 16]] * 2


def test_proposals__image_smaller_than_its_padding__clips_and_drops(head) -> None:
    scores = logits(3.0)
    found = propose(head, scores, meta={'img_shape': (6, 3)})
    assert found.bboxes[:, 2].max() == 3
    assert found.bboxes[:, 3].max() == 6
    sides = found.bboxes[:, 2:] - found.bboxes[:, :2]
    assert sides.min() > 0
    larger = propose(head, scores, meta={'img_shape': (6, 3)}, min_bbox_size=2.5)
    assert (larger.bboxes[:, 2:] - larger.bboxes[:, :2]).min() > 2.5
    assert 0 < len(larger) < len(found)


def test_proposals__logit_that_is_no_number__is_dropped(head) -> None:
    scores = logits()
    scores[0][0, 1, 0, 0] = math.nan
    scores[0][0, 1, 1, 1] = math.inf
    found = propose(head, scores)
    assert found.scores.max() < 1e-4
    assert found.scores.isfinite().all()


def test_proposals__nothing_left__is_empty(head) -> None:
    found = propose(head, logits(), min_bbox_size=100)
    assert found.bboxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)


def test_proposals__rescaled__are_in_the_original_image(head) -> None:
    scores = logits()
    scores[0][0, 1, 1, 3] = 2.0
    found = propose(head, scores, max_per_img=1, rescale=True)
    assert found.bboxes.tolist() == [[16, 0, 30, 16]]


def test_loss__fewer_anchors_than_to_sample__is_divided_by_256_per_image(head) -> None:
    anchor = torch.tensor([[4.0, 4.0, 12.0, 12.0]])
    truth = InstanceData(bboxes=anchor, labels=torch.tensor([0]))
    nothing = InstanceData(bboxes=anchor[:0], labels=torch.tensor([], dtype=int))
    regressions = [level.repeat(2, 1, 1, 1) + 0.25 for level in deltas()]
    scores = [level.repeat(2, 1, 1, 1) for level in logits(1.0)]
    losses = head.loss_by_feat(scores, regressions, [truth, nothing], [META, META])
    # Of the 60 anchors of an image one is the truth; those of the first image that
    # overlap it by 0.3 to 0.7 do not count.
    ignored = count_ignored(head, anchor)
    assert 0 < ignored < 59
    negatives = 60 + 59 - ignored
    expected = math.log1p(math.exp(-1)) + negatives * math.log1p(math.exp(1))
    assert sum(losses['loss_rpn_cls']).item() == pytest.approx(expected / 512, rel=1e-5)
    # Deltas of 0.25 where 0 is right, in 4 coordinates of one anchor.
    assert sum(losses['loss_rpn_bbox']).item() == pytest.approx(1 / 512, rel=1e-5)


def count_ignored(head, truth):
    anchors = torch.cat(head.prior_generator.grid_priors(SIZES, device='cpu'))
    low = torch.maximum(anchors[:, :2], truth[:, :2])
    high = torch.minimum(anchors[:, 2:], truth[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    areas = (anchors[:, 2:] - anchors[:, :2]).prod(dim=1)
    overlap = shared / (areas + 64 - shared)
    return int(((overlap >= 0.3) & (overlap < 0.7)).sum())


def test_proposals__no_limit__keep_every_level_whole(head) -> None:
    every = propose(head, logits(), nms=dict(type='nms', iou_threshold=1.0))
    found = propose(
        head, logits(), nms=dict(type='nms', iou_threshold=1.0), max_per_img=-1
    )
    assert len(found.bboxes) == len(every.bboxes) == 3 * (16 + 4)


@pytest.mark.parametrize('sizes', [SIZES[:1], (*SIZES, (1, 1))])
def test_forward__levels_and_strides_disagree__says_what_to_set(head, sizes) -> None:
    levels = [torch.zeros(1, 4, *size) for size in sizes]
    message = f'the neck gives {len(sizes)} levels, .*has 2: .*num_outs to 2'
    with pytest.raises(ValueError, match=message):
        head(levels)
