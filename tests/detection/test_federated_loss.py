"""The federated loss, alone and in mmdet's box heads."""

from pathlib import Path

import mmdet
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData

from pe_mm.detection.federated_loss import FederatedLoss

MMDET_MODELS = Path(mmdet.__file__).parent / '.mim' / 'configs' / '_base_' / 'models'


def make_loss(num_classes, *, weights=None, **options):
    loss = FederatedLoss(num_classes, **options)
    loss.class_weights.copy_(torch.ones(num_classes) if weights is None else weights)
    return loss


LOG3 = torch.tensor(3.0).log().item()


def narrow(node):
    """Give every part of a model's config 16 channels in place of 256."""
    for key, value in node.items():
        if key in ('in_channels', 'out_channels', 'feat_channels', 'conv_out_channels'):
            node[key] = 16
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                narrow(part)


@pytest.fixture(params=['mask-rcnn', 'cascade-mask-rcnn'])
def detector(request):
    register_all_modules()
    model = Config.fromfile(MMDET_MODELS / f'{request.param}_r50_fpn.py').model
    narrow(model)
    model.backbone.update(depth=18, base_channels=8, init_cfg=None)
    model.neck.in_channels = [8, 16, 32, 64]
    heads = model.roi_head.bbox_head
    for head in heads if isinstance(heads, list) else [heads]:
        head.update(num_classes=5, fc_out_channels=16)
        head.loss_cls = ConfigDict(type='pe_mm.FederatedLoss', num_classes=5)
    model.roi_head.mask_head.num_classes = 5
    model = MODELS.build(model)
    model.init_weights()
    return model


def losses_of(model):
    return [m for m in model.modules() if isinstance(m, FederatedLoss)]


def batch(model, *, training):
    shapes = [(3, 64, 64), (3, 64, 96)]
    data = demo_mm_inputs(2, shapes, num_items=[2, 3], num_classes=5, with_mask=True)
    return model.data_preprocessor(data, training=training)


def test_forward__full_set__is_the_sum_over_classes_divided_by_rois():
    # Own classes 1 and 3 and the background (4) fill the set: nothing is drawn.
    loss = make_loss(4, set_size=3)
    logits = [[5, 0, -7, 0], [1, LOG3, 2, 0], [-2, 0, 9, LOG3]]

    value = loss(torch.tensor(logits), torch.tensor([1, 4, 3]))

    # log 2 for every logit of 0, log 4 for a wrong log 3, log 4/3 for a right one.
    expected = torch.tensor([4.0, 4 * 2, 2 * 4 / 3]).log().sum() / 3
    torch.testing.assert_close(value, expected)


def test_forward__drawn_classes__equals_masked_cross_entropy_of_all():
    loss = make_loss(30, weights=torch.rand(30), set_size=12)
    logits, labels = torch.randn(40, 30), torch.randint(26, 31, (40,))
    torch.manual_seed(7)
    classes = loss.draw_classes(labels)

    torch.manual_seed(7)
    value = loss(logits, labels)

    mask = torch.zeros(30)
    mask[classes] = 1
    target = F.one_hot(labels, 31)[:, :30].float()
    every = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    assert len(classes) == 11
    torch.testing.assert_close(value, (every * mask).sum() / 40)


def test_forward__gradient__is_in_the_columns_of_the_set_alone():
    loss = make_loss(6, weights=torch.tensor([0.0, 0, 0, 1, 0, 0]), set_size=3)
    logits = torch.randn(5, 6, requires_grad=True)

    loss(logits, torch.tensor([6, 1, 6, 6, 1])).backward()

    assert logits.grad.abs().gt(0).any(dim=0).tolist() == [0, 1, 0, 1, 0, 0]


def test_forward__all_rois_background__pushes_the_drawn_classes_down():
    loss = make_loss(6, set_size=3)
    logits = torch.zeros(4, 6, requires_grad=True)

    value = loss(logits, torch.full((4,), 6))
    value.backward()

    # The background counts: two classes are drawn.
    torch.testing.assert_close(value, 2 * torch.tensor(2.0).log())
    columns = logits.grad.sum(dim=0)
    assert columns.gt(0).sum() == 2 and columns.lt(0).sum() == 0


def test_forward__weights_and_average_factor__are_those_of_the_head():
    loss = make_loss(2, set_size=1, loss_weight=3.0)
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, LOG3]])
    labels, weights = torch.tensor([1, 0, 1]), torch.tensor([1.0, 0.0, 0.5])
    each = torch.tensor([4.0, 4.0, 2 * 4 / 3]).log()
    weighted = (each * weights).sum()

    mean = loss(logits, labels, weights, avg_factor=2)
    none = loss(logits, labels, weights, reduction_override='none')
    total = loss(logits, labels, weights, reduction_override='sum')

    torch.testing.assert_close(mean, 3 * weighted / 2)
    torch.testing.assert_close(none, 3 * each * weights)
    torch.testing.assert_close(total, 3 * weighted)


def test_forward__no_rois__is_zero_with_a_gradient():
    logits = torch.randn(0, 4, requires_grad=True)

    value = make_loss(4)(logits, torch.zeros(0, dtype=torch.long))
    value.backward()

    assert value == 0 and logits.grad.shape == (0, 4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_forward__half_precision__computes_in_float32(dtype):
    loss = make_loss(1203, set_size=1204)
    logits, labels = torch.randn(4, 1203).to(dtype), torch.full((4,), 1203)

    near, far = loss(logits, labels), loss(logits + 60, labels)

    # The second is beyond float16, whose largest number is 65504.
    assert near.dtype == far.dtype == torch.float32
    torch.testing.assert_close(near, loss(logits.float(), labels))
    torch.testing.assert_close(far, loss((logits + 60).float(), labels))


def test_forward__autocast__equals_float32_on_the_same_logits():
    loss, logits = make_loss(8), torch.randn(5, 8)
    labels = torch.tensor([0, 3, 8, 8, 2])

    with torch.autocast('cpu', torch.bfloat16):
        value = loss(logits, labels)

    assert value.dtype == torch.float32
    assert value == loss(logits, labels)


@pytest.mark.parametrize(
    ('labels', 'size'),
    [
        pytest.param([2, 2], 5, id='foreground alone'),
        pytest.param([10, 2], 4, id='background counts and is dropped'),
        pytest.param([7, 1, 5, 10, 3, 9, 0], 6, id='more own classes than the size'),
        pytest.param([], 5, id='no rois'),
    ],
)
def test_draw_classes__labels__sizes_the_set(labels, size):
    loss = make_loss(10, set_size=5)

    classes = loss.draw_classes(torch.tensor(labels, dtype=torch.long)).tolist()

    assert len(set(classes)) == len(classes) == size
    assert set(labels) - {10} <= set(classes) <= set(range(10))


def test_draw_classes__fewer_classes_than_the_size__takes_all_that_have_images():
    loss = make_loss(6, weights=torch.tensor([1.0, 0, 2, 0, 0, 3]))

    # Class 4 has no images in the training set, but one in the batch.
    assert sorted(loss.draw_classes(torch.tensor([4, 6])).tolist()) == [0, 2, 4, 5]


def test_draw_classes__many_draws__follow_the_weights_of_the_other_classes():
    loss = make_loss(4, weights=torch.tensor([1.0, 4, 3, 6]), set_size=2)
    labels = torch.tensor([1])

    drawn = torch.stack([loss.draw_classes(labels) for _ in range(5000)])

    assert (drawn[:, 0] == 1).all()
    shares = drawn[:, 1].bincount(minlength=4) / 5000
    # 1, 3 and 6 of 10; three standard deviations are at most 0.021.
    assert (shares - torch.tensor([0.1, 0, 0.3, 0.6])).abs().max() < 0.021


def test_draw_classes__same_seed__same_set():
    loss, labels = make_loss(1203, weights=torch.rand(1203)), torch.tensor([1203, 4])
    sets = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        sets.append(loss.draw_classes(labels).tolist())

    assert sets[0] == sets[1] != sets[2]


def test_draw_classes__full_set__needs_no_weights():
    loss = FederatedLoss(4, set_size=3)

    assert loss.draw_classes(torch.tensor([1, 4, 2, 1])).tolist() == [1, 2]


def test_forward__unknown_weights__says_how_to_get_them():
    with pytest.raises(ValueError, match=r'not known; add .*FederatedClassesHook'):
        FederatedLoss(4)(torch.zeros(2, 4), torch.tensor([0, 4]))


def test_forward__background_column__is_refused():
    with pytest.raises(ValueError, match='5 columns.*num_classes=4.*none for the back'):
        make_loss(4)(torch.zeros(2, 5), torch.tensor([0, 4]))


@pytest.mark.parametrize('label', [-1, 5])
def test_forward__label_out_of_range__names_the_range(label):
    with pytest.raises(ValueError, match=r'labels go from .* takes 0 to 4'):
        make_loss(4)(torch.zeros(2, 4), torch.tensor([label, 4]))


@pytest.mark.parametrize('options', [{'num_classes': 0}, {'set_size': 2.5}])
def test_init__no_count__names_the_argument(options):
    with pytest.raises(ValueError, match=f'{next(iter(options))} must be an int >= 1'):
        FederatedLoss(**{'num_classes': 4} | options)


def test_box_head__other_number_of_classes__is_refused():
    loss_cls = {'type': 'pe_mm.FederatedLoss', 'num_classes': 4}
    with pytest.raises(ValueError, match='num_classes=4.*head with num_classes=80'):
        MODELS.build({'type': 'mmdet.BBoxHead', 'loss_cls': loss_cls})


def test_box_head__prediction__scores_every_class_by_its_sigmoid():
    loss_cls = {'type': 'pe_mm.FederatedLoss', 'num_classes': 3}
    head = MODELS.build(
        {'type': 'mmdet.BBoxHead', 'num_classes': 3, 'loss_cls': loss_cls}
    )
    # The first box is of two classes, the second of none.
    logits = torch.tensor([[2.0, -1.0, -8.0], [-6.0, -7.0, -5.0]])
    rois = torch.tensor([[0.0, 2, 2, 12, 12], [0, 20, 20, 30, 30]])
    test_cfg = Config(
        {'score_thr': 0.02, 'nms': {'type': 'nms', 'iou_threshold': 0.5}}
        | {'max_per_img': 300}
    )

    (result,) = head.predict_by_feat(
        [rois], [logits], [torch.zeros(2, 12)], [{'img_shape': (40, 40)}], test_cfg
    )

    assert isinstance(result, InstanceData)
    assert head.fc_cls.out_features == 3
    assert result.labels.tolist() == [0, 1]
    torch.testing.assert_close(result.scores, torch.tensor([2.0, -1.0]).sigmoid())
    torch.testing.assert_close(result.bboxes, rois[[0, 0], 1:])


def test_accuracy__foreground_rois__in_per_cent():
    logits = torch.tensor([[3.0, 1], [0, 2], [5, 0], [1, 4]])

    assert make_loss(2).get_accuracy(logits, torch.tensor([0, 0, 2, 1])) == {
        'acc_classes': pytest.approx(200 / 3)
    }
    assert make_loss(2).get_accuracy(logits, torch.full((4,), 2)) == {'acc_classes': 0}


def test_detector__training_step__starts_at_log_2_per_class_with_gradients(detector):
    for loss in losses_of(detector):
        loss.class_weights.fill_(1)
    data = batch(detector, training=True)

    losses = detector.loss(data['inputs'], data['data_samples'])
    total, log = detector.parse_losses(losses)
    total.backward()

    # New heads give logits near 0, and all five classes are in the set.
    expected = 5 * torch.tensor(2.0).log().item()
    stages = {'loss_cls': 1, 's0.loss_cls': 1, 's1.loss_cls': 0.5, 's2.loss_cls': 0.25}
    found = {key: factor for key, factor in stages.items() if key in log}
    assert len(found) == len(losses_of(detector))
    for key, factor in found.items():
        assert log[key].item() == pytest.approx(factor * expected, rel=0.1)
        assert 0 <= log[key.replace('loss_cls', 'acc_classes')] <= 100
    gradients = {n: p.grad for n, p in detector.named_parameters() if p.requires_grad}
    assert [n for n, gradient in gradients.items() if gradient is None] == []
    classifiers = [g for n, g in gradients.items() if n.endswith('fc_cls.weight')]
    assert all(gradient.abs().gt(0).any(dim=1).all() for gradient in classifiers)


def test_detector__prediction__scores_every_class_by_its_sigmoid(detector):
    detector.test_cfg.rcnn.max_per_img = 5000
    logits = torch.tensor([2.0, -1.0, 0.5, -9.0, 1.0])
    for layer in detector.modules():
        if getattr(layer, 'out_features', None) == 5:
            torch.nn.init.zeros_(layer.weight)
            layer.bias.data.copy_(logits)
    detector.eval()
    data = batch(detector, training=False)

    with torch.no_grad():
        results = detector.predict(data['inputs'], data['data_samples'])

    scores = torch.cat([result.pred_instances.scores for result in results])
    labels = torch.cat([result.pred_instances.labels for result in results])
    assert labels.unique().tolist() == [0, 1, 2, 4]
    torch.testing.assert_close(scores, logits.sigmoid()[labels])


def test_detector__saved_and_loaded_strictly__keeps_the_weights(detector, tmp_path):
    for loss in losses_of(detector):
        loss.class_weights.copy_(torch.arange(5) ** 0.5)
    torch.save(detector.state_dict(), tmp_path / 'model.pth')
    for loss in losses_of(detector):
        loss.class_weights.zero_()

    detector.load_state_dict(torch.load(tmp_path / 'model.pth'), strict=True)

    names = [n for n, _ in detector.named_buffers() if n.endswith('.class_weights')]
    assert all('.loss_cls.class_weights' in name for name in names)
    assert len(names) == len(losses_of(detector))
    for loss in losses_of(detector):
        assert torch.equal(loss.class_weights, torch.arange(5) ** 0.5)
