"""The estimator: sizes, windows, mirrored images, gradients, messages."""

import copy

import pytest
import torch
import torch.nn.functional as F
from depth_models import build_estimator, samples
from mmengine.registry import MODELS, DefaultScope
from mmseg.models.segmentors import DepthEstimator as MMSegDepthEstimator

from pe_mm.depth import DepthEstimator

SLIDE = dict(mode='slide', crop_size=(28, 28), stride=(20, 16))


def predict(model, image, test_cfg=None):
    """Return depth (B, 1, H, W), as tested."""
    if test_cfg is not None:
        model = copy.deepcopy(model)
        model.test_cfg.update(test_cfg)
    with torch.no_grad():
        outputs = model(image, samples(torch.zeros_like(image[:, :1])), mode='predict')
    return torch.stack([output.pred_depth_map.data for output in outputs])


@pytest.fixture(params=['linear', 'dpt'])
def model(request):
    return build_estimator(request.param)


@pytest.mark.parametrize('size', [(56, 70), (57, 69), (43, 90), (14, 15)])
def test_predict__any_size__is_the_images_own_and_that_of_the_padded_image(
    model, size
) -> None:
    image = torch.randn(2, 3, *size)
    height, width = size
    whole = F.pad(image, (0, -width % 14, 0, -height % 14))

    depth = predict(model, image)

    assert depth.shape == (2, 1, *size)
    torch.testing.assert_close(depth, predict(model, whole)[..., :height, :width])


def test_predict__427_by_561__has_a_token_every_14_pixels() -> None:
    model = build_estimator()
    image = torch.randn(1, 3, 427, 561)
    tokens = model.decode_head(model.extract_feat(image))
    assert tokens.shape == (1, 1, 31, 41)

    depth = predict(model, image)

    exact = F.interpolate(tokens, scale_factor=14, mode='bilinear')
    torch.testing.assert_close(depth, exact[..., :427, :561])
    # mmseg stretches 31 tokens over 427 pixels.
    stretched = F.interpolate(tokens, (427, 561), mode='bilinear')
    assert (depth - stretched).abs().max() > 0.1


def test_predict__images_own_size__is_that_of_the_original_image(model) -> None:
    image = torch.randn(1, 3, 43, 57)
    sample = samples(torch.zeros(1, 1, 86, 100))

    with torch.no_grad():
        depth = model(image, sample, mode='predict')[0].pred_depth_map.data

    assert depth.shape == (1, 86, 100)
    wanted = F.interpolate(predict(model, image), (86, 100), mode='bilinear')
    torch.testing.assert_close(depth, wanted[0])


def test_predict__without_samples__is_the_same_depth(model) -> None:
    image = torch.randn(1, 3, 43, 57)
    with torch.no_grad():
        depth = model(image, mode='predict')[0].pred_depth_map.data

    assert torch.equal(depth, predict(model, image)[0])


def test_predict__batch__equals_singles(model) -> None:
    image = torch.randn(3, 3, 43, 57)
    singles = [predict(model, image[i : i + 1]) for i in range(3)]

    torch.testing.assert_close(predict(model, image), torch.cat(singles))


def test_slide__window_that_covers_the_image__is_whole(model) -> None:
    image = torch.randn(2, 3, 43, 57)
    windows = dict(mode='slide', crop_size=(50, 57), stride=(20, 20))

    assert torch.equal(predict(model, image, windows), predict(model, image))


def test_slide__overlapping_windows__are_averaged(model) -> None:
    image = torch.randn(2, 3, 40, 44)
    total, count = torch.zeros(2, 1, 40, 44), torch.zeros(40, 44)
    for top in (0, 12):
        for left in (0, 16):
            rows, columns = slice(top, top + 28), slice(left, left + 28)
            total[:, :, rows, columns] += predict(model, image[..., rows, columns])
            count[rows, columns] += 1

    depth = predict(model, image, SLIDE)

    torch.testing.assert_close(depth, total / count)
    assert not torch.allclose(depth, predict(model, image))


@pytest.mark.parametrize('test_cfg', [dict(mode='whole'), SLIDE])
def test_flip_test__any_mode__averages_with_the_mirrored_image(model, test_cfg) -> None:
    image = torch.randn(2, 3, 40, 47)
    flip = dict(test_cfg, flip_test=True)

    depth = predict(model, image, flip)

    plain, mirrored = (predict(model, x, test_cfg) for x in (image, image.flip(3)))
    torch.testing.assert_close(depth, (plain + mirrored.flip(3)) / 2)
    assert not torch.allclose(depth, plain)
    assert torch.equal(predict(model, image.flip(3), flip).flip(3), depth)


def test_inference__meta_information__is_left_as_it_is(model) -> None:
    metas = [dict(ori_shape=(40, 44), img_shape=(40, 44)) for _ in range(2)]
    before = copy.deepcopy(metas)
    model.test_cfg.update(SLIDE)
    with torch.no_grad():
        model.inference(torch.randn(2, 3, 40, 44), metas)

    assert metas == before


def test_loss__padded_crop__is_that_of_the_padded_image_and_depth(model) -> None:
    image, depth = torch.randn(2, 3, 43, 57), torch.rand(2, 1, 43, 57) * 9 + 0.5
    given = samples(depth)
    padding = (0, 13, 0, 13)

    losses = model(image, given, mode='loss')

    padded = samples(F.pad(depth, padding))
    wanted = MMSegDepthEstimator.loss(model, F.pad(image, padding), padded)
    assert losses.keys() == {'decode.loss_silog'}
    torch.testing.assert_close(losses, wanted, rtol=0, atol=0)
    assert all(map(torch.equal, (s.gt_depth_map.data for s in given), depth))


def test_loss__depth_of_another_size__is_named(model) -> None:
    with pytest.raises(ValueError, match=r'depth is \(86, 57\), images are \(43, 57\)'):
        model(torch.randn(1, 3, 43, 57), samples(torch.ones(1, 1, 86, 57)), mode='loss')


@pytest.mark.parametrize('head', ['linear', 'dpt'])
@pytest.mark.parametrize('freeze', [True, False])
def test_loss__training__reaches_what_is_trained_and_nothing_frozen(
    head, freeze
) -> None:
    model = build_estimator(head, backbone=dict(freeze=freeze)).train()
    depth = torch.rand(2, 1, 43, 57) * 9 + 0.5
    model(torch.randn(2, 3, 43, 57), samples(depth), mode='loss')[
        'decode.loss_silog'
    ].backward()

    reached = {n for n, p in model.named_parameters() if p.grad is not None}
    empty = [
        n for n, p in model.named_parameters() if n in reached and not p.grad.any()
    ]
    wanted = {n for n, p in model.named_parameters() if p.requires_grad}
    assert reached == wanted
    assert empty == []
    assert any(n.startswith('backbone.') for n in reached) != freeze


@pytest.mark.parametrize('head', ['linear', 'dpt'])
def test_loss__bfloat16_autocast__is_near_that_of_float32(head) -> None:
    model = build_estimator(head)
    batch = torch.randn(2, 3, 43, 57), samples(torch.rand(2, 1, 43, 57) * 9 + 0.5)
    plain = model(*batch, mode='loss')['decode.loss_silog']
    with torch.autocast('cpu', torch.bfloat16):
        mixed = model(*batch, mode='loss')['decode.loss_silog']

    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, plain, rtol=1e-2, atol=0)


def test_state_dict__saved_and_loaded__gives_the_same_depth(tmp_path) -> None:
    model, other = build_estimator('dpt'), build_estimator('dpt')
    image = torch.randn(1, 3, 43, 57)
    assert not torch.equal(predict(other, image), predict(model, image))
    torch.save(model.state_dict(), tmp_path / 'model.pth')
    other.load_state_dict(torch.load(tmp_path / 'model.pth', weights_only=True))

    assert torch.equal(predict(other, image), predict(model, image))


def test_estimator__backbone_without_a_patch__is_not_padded() -> None:
    model = build_estimator()
    del model.backbone.patch_size
    assert not hasattr(model.backbone, 'patch_size')
    image = torch.randn(1, 3, 43, 57)

    assert model._pad(image).shape == image.shape


def test_estimator__from_mmsegs_scope__is_found() -> None:
    with DefaultScope.overwrite_default_scope('mmseg'):
        assert MODELS.get('pe_mm.DepthEstimator') is DepthEstimator
        assert MODELS.get('mmseg.DepthEstimator') is MMSegDepthEstimator


@pytest.mark.parametrize(
    ('test_cfg', 'message'),
    [
        (dict(mode='slide_flip'), "mode='slide', flip_test=True"),
        (dict(mode='hole'), r"one of \('whole', 'slide'\), got 'hole'"),
        (dict(mode='slide'), 'crop_size=None, stride=None'),
        (dict(mode='slide', crop_size=(8, 8), stride=(9, 8)), r'stride=\(9, 8\)'),
        (dict(mode='slide', crop_size=8, stride=8), 'crop_size=8, stride=8'),
    ],
)
def test_estimator__impossible_test_cfg__is_named(test_cfg, message) -> None:
    with pytest.raises(ValueError, match=message):
        build_estimator(test_cfg=test_cfg)
