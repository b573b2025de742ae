"""The linear head: values, gradients, ignored labels, precision, messages."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from pe_mm import PerceptionEncoder
from pe_mm.segmentation import LinearSegmentationHead

BN = dict(type='BN')


def samples(labels):
    """Turn labels (B, H, W) into mmseg's samples."""
    return [
        SegDataSample(gt_sem_seg=PixelData(data=label[None]), metainfo={})
        for label in labels
    ]


def losses(head, maps, labels):
    return head.loss(maps, samples(labels), {})


def test_forward__eval__is_norm_then_classifier() -> None:
    head = LinearSegmentationHead(8, 5, norm_cfg=BN).eval()
    head.norm.running_mean.normal_()
    head.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 8, 3, 4)

    tokens = x.movedim(1, -1)
    normed = (tokens - head.norm.running_mean) / (head.norm.running_var + 1e-5).sqrt()
    wanted = F.linear(normed, head.conv_seg.weight[:, :, 0, 0], head.conv_seg.bias)
    torch.testing.assert_close(head((x,)), wanted.movedim(-1, 1))


def test_forward__list_of_channels__concatenates_all_maps() -> None:
    head = LinearSegmentationHead([4, 6], 3, norm_cfg=None).eval()
    single = LinearSegmentationHead(10, 3, norm_cfg=None).eval()
    single.load_state_dict(head.state_dict())
    maps = (torch.randn(2, 4, 3, 5), torch.randn(2, 6, 3, 5))

    assert head.in_channels == 10
    assert torch.equal(head(maps), single((torch.cat(maps, 1),)))


def test_forward__one_width__takes_the_last_map_or_in_index() -> None:
    head = LinearSegmentationHead(4, 3, norm_cfg=None).eval()
    first = LinearSegmentationHead(4, 3, norm_cfg=None, in_index=0).eval()
    first.load_state_dict(head.state_dict())
    maps = (torch.randn(1, 4, 2, 2), torch.randn(1, 4, 2, 2))

    assert torch.equal(head(maps), head(maps[1:]))
    assert torch.equal(first(maps), head(maps[:1]))


def test_forward__in_index_of_several__takes_those() -> None:
    head = LinearSegmentationHead([4, 4], 3, norm_cfg=None, in_index=(0, 2)).eval()
    maps = tuple(torch.randn(1, 4, 2, 2) for _ in range(3))

    wanted = head.conv_seg(torch.cat([maps[0], maps[2]], 1))
    assert torch.equal(head(maps), wanted)


def test_forward__projection__is_a_linear_layer_before_the_classifier() -> None:
    head = LinearSegmentationHead(4, 3, norm_cfg=None, projection_channels=6).eval()
    x = torch.randn(1, 4, 2, 3)

    assert head.projection.weight.shape == (6, 4, 1, 1)
    assert head.conv_seg.weight.shape == (3, 6, 1, 1)
    weight = head.conv_seg.weight[:, :, 0, 0] @ head.projection.weight[:, :, 0, 0]
    bias = head.conv_seg.weight[:, :, 0, 0] @ head.projection.bias + head.conv_seg.bias
    wanted = F.conv2d(x, weight[:, :, None, None], bias)
    torch.testing.assert_close(head((x,)), wanted)


def test_init_weights__classifier__starts_at_normal_0_01() -> None:
    head = LinearSegmentationHead(512, 150)
    head.init_weights()

    weight = head.conv_seg.weight.detach()
    assert weight.mean().abs() < 2e-4  # a standard error is 3.6e-5
    assert weight.std() == pytest.approx(0.01, rel=0.02)
    assert not head.conv_seg.bias.any()


def test_dropout__training__drops_whole_channels() -> None:
    head = LinearSegmentationHead(64, 3, norm_cfg=None, dropout_ratio=0.5).train()
    seen = []
    head.conv_seg.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    head((torch.ones(1, 64, 4, 4),))

    sums = seen[0].sum((2, 3)).unique().tolist()
    assert sums == [0.0, 32.0]  # dropped, or all 16 cells doubled


@pytest.mark.parametrize('options', [{}, dict(projection_channels=5)])
def test_loss__backward__reaches_every_parameter(options) -> None:
    head = LinearSegmentationHead([8, 8], 4, norm_cfg=BN, **options).train()
    maps = tuple(torch.randn(2, 8, 4, 4, requires_grad=True) for _ in range(2))
    labels = torch.randint(4, (2, 32, 32))

    found = losses(head, maps, labels)
    found['loss_ce'].backward()

    assert sorted(found) == ['acc_seg', 'loss_ce']
    assert all(p.grad.abs().max() > 0 for p in head.parameters())
    assert all(m.grad.abs().max() > 0 for m in maps)


def test_loss__frozen_encoder__gets_no_gradients() -> None:
    variant = dict(depth=2, width=16, heads=2, patch_size=8, image_size=32)
    encoder = PerceptionEncoder(variant, (0, 1), freeze=True).train()
    head = LinearSegmentationHead(encoder.out_channels, 4, norm_cfg=BN).train()
    before = {name: t.clone() for name, t in encoder.state_dict().items()}
    images, labels = torch.randn(2, 3, 32, 32), torch.randint(4, (2, 32, 32))

    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=1.0)
    losses(head, encoder(images), labels)['loss_ce'].backward()
    optimizer.step()

    assert all(p.grad is None for p in encoder.parameters())
    assert all(p.grad is not None for p in head.parameters())
    assert all(map(torch.equal, encoder.state_dict().values(), before.values()))


def test_loss__ignored_labels__never_enter() -> None:
    head = LinearSegmentationHead(1, 2, norm_cfg=None, dropout_ratio=0).eval()
    # The map itself is the logit of class 1 against 0.
    head.conv_seg.weight.data = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)
    head.conv_seg.bias.data.zero_()
    logits = torch.tensor([[2.0, -1.0], [3.0, 50.0]]).reshape(1, 1, 2, 2)
    logits.requires_grad_()
    labels = torch.tensor([[[1, 0], [0, 255]]])

    found = losses(head, (logits,), labels)
    found['loss_ce'].backward()

    by_hand = [F.softplus(torch.tensor(x)) for x in (-2.0, -1.0, 3.0)]
    # mmseg's and DINOv3's mean counts ignored pixels as pixels without loss.
    torch.testing.assert_close(found['loss_ce'], sum(by_hand) / 4)
    assert found['acc_seg'].item() == pytest.approx(100 * 2 / 3)
    assert logits.grad[0, 0, 1, 1] == 0
    assert (logits.grad.flatten()[:3] != 0).all()
    labels_only = LinearSegmentationHead(
        1, 2, norm_cfg=None, loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=1)
    ).eval()
    labels_only.load_state_dict(head.state_dict())
    mean = losses(labels_only, (logits,), labels)['loss_ce']
    torch.testing.assert_close(mean, sum(by_hand) / 3)


def test_loss__all_ignored__is_zero_and_finite() -> None:
    head = LinearSegmentationHead(4, 3, norm_cfg=BN).train()
    found = losses(head, (torch.randn(2, 4, 2, 2),), torch.full((2, 8, 8), 255))
    found['loss_ce'].backward()

    assert found['loss_ce'] == 0
    assert all(not p.grad.any() for p in head.parameters())


def test_loss__bfloat16_autocast__is_close_to_float32() -> None:
    head = LinearSegmentationHead(32, 5, norm_cfg=BN, dropout_ratio=0).train()
    maps = (torch.randn(2, 32, 4, 4),)
    labels = torch.randint(5, (2, 32, 32))
    labels[:, :5] = 255

    exact = losses(head, maps, labels)['loss_ce']
    with torch.autocast('cpu', torch.bfloat16):
        half = losses(head, maps, labels)['loss_ce']
    half.backward()

    torch.testing.assert_close(half.float(), exact, rtol=1e-2, atol=0)
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_forward__batch__equals_its_images_one_by_one() -> None:
    head = LinearSegmentationHead([4, 4], 3, norm_cfg=BN).eval()
    maps = tuple(torch.randn(3, 4, 2, 5) for _ in range(2))
    singles = [head([map_[i : i + 1] for map_ in maps]) for i in range(3)]

    torch.testing.assert_close(head(maps), torch.cat(singles))


@pytest.mark.parametrize('scope', ['mmseg', 'mmdet'])
def test_head__from_config__is_built_and_restored(scope) -> None:
    cfg = dict(type='pe_mm.LinearSegmentationHead', in_channels=[4, 4], num_classes=3)
    with DefaultScope.overwrite_default_scope(scope):
        head, twin = MODELS.build(cfg), MODELS.build(cfg)
    assert isinstance(head.norm, torch.nn.SyncBatchNorm)
    torch.nn.init.normal_(head.conv_seg.bias)
    twin.load_state_dict(head.state_dict())

    maps = (torch.randn(1, 4, 2, 2), torch.randn(1, 4, 2, 2))
    assert torch.equal(head.eval()(maps), twin.eval()(maps))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(in_channels=0), 'in_channels must be an int >= 1, got 0'),
        (dict(in_channels='768'), "in_channels must be an int >= 1, got '768'"),
        (dict(in_channels=[4, None]), 'in_channels must be an int >= 1, got None'),
        (dict(in_channels=[]), r'in_channels=\[\] names no map'),
        (dict(num_classes=0), 'num_classes must be an int >= 1'),
        (dict(projection_channels=-1), 'projection_channels must be an int >= 1'),
        (dict(dropout_ratio=1.0), r'dropout_ratio must be in \[0, 1\), got 1.0'),
        (dict(in_index=[0]), r'in_index=\[0\] does not fit in_channels=\[4\]'),
        (
            dict(in_channels=[4, 4], in_index=[0]),
            r'in_index=\[0\] does not fit in_channels=\[4, 4\]: give an int for one',
        ),
        (dict(in_channels=[4, 4], in_index=0), 'in_index=0 does not fit'),
    ],
)
def test_head__bad_arguments__say_what_is_wrong(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        LinearSegmentationHead(**{'in_channels': 4, 'num_classes': 3, **options})


@pytest.mark.parametrize(
    ('in_channels', 'maps', 'message'),
    [
        (
            4,
            (torch.zeros(1, 5, 2, 2),),
            r'1 map of \[5\] channels, built for 1 of \[4\]',
        ),
        ([4, 4], (torch.zeros(1, 4, 2, 2),), r'1 map of \[4\] channels, built for 2'),
        ([4], (torch.zeros(1, 4, 2, 2),) * 2, 'in_channels must be the out_channels'),
        (4, ((torch.zeros(1, 4, 2, 2), torch.zeros(1, 4)),), 'not output class tokens'),
        (4, (torch.zeros(4, 2, 2),), r'shape \(B, C, H, W\), got \[\(4, 2, 2\)\]'),
        (4, torch.zeros(1, 4, 2, 2), r'single one: \(map,\); got Tensor'),
        (4, (), r'got 0 maps, none at in_index=\[-1\]'),
    ],
)
def test_forward__wrong_maps__are_named(in_channels, maps, message) -> None:
    with pytest.raises(ValueError, match=message):
        LinearSegmentationHead(in_channels, 3, norm_cfg=None)(maps)
