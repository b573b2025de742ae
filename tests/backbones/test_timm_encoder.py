"""Encoders of timm: the maps are timm's own, whatever family they are of."""

from copy import deepcopy

import pytest
import timm
import torch
from mmengine.registry import MODELS

from pe_mm import TimmEncoder
from pe_mm.checkpoints import CheckpointError

# Every family's architecture, in small.
SMALL = dict(depth=4, embed_dim=48, num_heads=3)
FAMILIES = {
    'vit_small_patch16_dinov3.lvd1689m': 16,
    'vit_small_patch14_dinov2.lvd142m': 14,
    'vit_base_patch16_siglip_256.v2_webli': 16,
    'vit_base_patch16_clip_224.openai': 16,
    'vit_base_patch16_224.mae': 16,
    'naflexvit_base_patch16_siglip.v2_webli': 16,
}
CLIP = 'vit_base_patch16_clip_224.openai'


def timm_model(name, **options):
    dynamic = {} if name.startswith('naflex') else dict(dynamic_img_size=True)
    return timm.create_model(name, num_classes=0, **dynamic, **SMALL, **options).eval()


@pytest.mark.parametrize(('name', 'patch'), FAMILIES.items())
def test_forward__every_family__equals_timms_intermediates(name, patch) -> None:
    encoder = TimmEncoder(name, (1, 2), model_args=SMALL).eval()
    reference = timm_model(name)
    missing = encoder.model.load_state_dict(reference.state_dict(), strict=False)
    images = torch.randn(2, 3, 5 * patch, 7 * patch)
    with torch.no_grad():
        ours = encoder(images)
        wanted = reference.forward_intermediates(
            images, indices=[1, 2], intermediates_only=True
        )
    assert missing.missing_keys == []
    assert [map_.shape for map_ in ours] == 2 * [(2, 48, 5, 7)]
    for a, b in zip(ours, wanted, strict=True):
        assert torch.equal(a, b)
    assert len(encoder.model.blocks) == 3
    assert encoder.depth == 4
    assert encoder.patch_size == patch


def test_attributes__clip__tell_what_images_it_takes() -> None:
    encoder = TimmEncoder(CLIP, 'all', model_args=SMALL)
    assert encoder.model_name == CLIP
    assert encoder.mean == pytest.approx((122.771, 116.746, 104.094), abs=1e-3)
    assert encoder.std == pytest.approx((68.501, 66.632, 70.323), abs=1e-3)
    assert encoder.out_channels == (48,) * 4
    assert encoder.image_size is None


def test_forward__sides_that_are_no_multiple__are_padded_with_zeros() -> None:
    encoder = TimmEncoder(CLIP, model_args=SMALL).eval()
    images = torch.randn(1, 3, 33, 50)
    padded = torch.zeros(1, 3, 48, 64)
    padded[..., :33, :50] = images
    with torch.no_grad():
        assert torch.equal(encoder(images)[0], encoder(padded)[0])


def test_build__by_its_name_in_a_config__needs_no_import() -> None:
    cfg = dict(type='pe_mm.TimmEncoder', model_name=CLIP, model_args=SMALL)
    assert isinstance(MODELS.build(cfg), TimmEncoder)


def test_freeze__parts__get_no_gradient_and_stay_in_eval_mode() -> None:
    encoder = TimmEncoder(CLIP, freeze=2, model_args=SMALL).train()
    encoder(torch.randn(1, 3, 32, 32))[0].sum().backward()
    trained = {n for n, p in encoder.model.named_parameters() if p.grad is not None}
    assert {name.split('.')[1] for name in trained} == {'2', '3'}
    assert not encoder.model.blocks[1].training
    assert encoder.model.blocks[2].training
    whole = TimmEncoder(CLIP, freeze=True, model_args=SMALL).train()
    assert not any(p.requires_grad for p in whole.parameters())
    assert not whole.model.blocks[3].training


def test_init_weights__file_of_timm__is_loaded_as_timm_does(tmp_path) -> None:
    torch.manual_seed(1)
    reference = timm_model(CLIP)
    torch.save(reference.state_dict(), tmp_path / 'w.pth')
    cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'w.pth'))
    encoder = TimmEncoder(CLIP, (0, 2), init_cfg=cfg, model_args=SMALL)
    images = torch.randn(1, 3, 224, 224)
    with pytest.raises(RuntimeError, match='configured but not loaded'):
        encoder(images)
    encoder.init_weights()
    with torch.no_grad():
        wanted = reference.forward_intermediates(
            images, indices=[0, 2], intermediates_only=True
        )
        for a, b in zip(encoder.eval()(images), wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_init_weights__nothing_configured__keeps_what_is_there() -> None:
    encoder = TimmEncoder(CLIP, model_args=SMALL)
    before = deepcopy(encoder.state_dict())
    encoder.init_weights()
    assert all(torch.equal(before[k], v) for k, v in encoder.state_dict().items())


def test_load_state_dict__before_init_weights__is_not_undone() -> None:
    encoder = TimmEncoder(CLIP, pretrained=True, model_args=SMALL)
    encoder.load_state_dict(TimmEncoder(CLIP, model_args=SMALL).state_dict())
    encoder.init_weights()
    encoder(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('vit_dino', {}, "has no model 'vit_dino'; see timm.list_models"),
        ('vit_base_patch16_dino', {}, 'it has vit_base_patch16_dinov3.lvd1689m'),
        (f'{CLIP}x', {}, 'it has .*vit_base_patch16_clip_224.openai|it has .* and'),
        ('resnet18', {}, r'resnet18 \(ResNet\) is no plain vision transformer'),
        ('hiera_tiny_224', {}, 'all blocks must have maps of one size'),
        ('vit_pe_spatial_tiny_patch16_512.fb', {}, "variant='PE-Spatial-T16-512'"),
        (CLIP, dict(model_args=dict(deep=2)), 'unexpected keyword argument'),
        (CLIP, dict(model_args=SMALL, out_indices=(4,)), 'layer 4 does not exist'),
        (CLIP, dict(model_args=SMALL, freeze=5), 'freeze=5 is impossible'),
        (CLIP, dict(pretrained=True, init_cfg=dict(type='x')), 'pass one'),
    ],
)
def test_init__bad_option__says_what_is_allowed(name, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        TimmEncoder(name, **options)


def test_forward__model_of_one_size__says_which() -> None:
    encoder = TimmEncoder('beit_base_patch16_224', model_args=SMALL)
    match = r'takes images of \(224, 224\) px only, got \(32, 48\)'
    with pytest.raises(ValueError, match=match):
        encoder(torch.zeros(1, 3, 32, 48))
    assert encoder(torch.zeros(1, 3, 224, 224))[0].shape == (1, 48, 14, 14)


def test_init_weights__wrong_file__is_a_checkpoint_error(tmp_path) -> None:
    torch.save({'a': torch.zeros(1)}, tmp_path / 'w.pth')
    for name, message in (
        ('w.pth', 'does not fit timm model .*blocks.0'),
        ('none', 'no checkpoint'),
    ):
        cfg = dict(type='Pretrained', checkpoint=str(tmp_path / name))
        encoder = TimmEncoder(CLIP, init_cfg=cfg, model_args=SMALL)
        with pytest.raises(CheckpointError, match=message):
            encoder.init_weights()
