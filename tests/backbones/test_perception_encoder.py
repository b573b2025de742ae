"""The encoder's outputs, options and promises to the tools around it."""

from copy import deepcopy

import pytest
import timm
import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.registry import MODELS

from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import load_encoder_weights

TINY = dict(depth=4, width=32, heads=4, patch_size=8, image_size=32)
TINY_CORE = TINY | dict(pool='attn', final_norm=True, embed_dim=12)


def test_forward__batch__equals_singles_and_leaves_the_input_alone() -> None:
    encoder = PerceptionEncoder(TINY, 'all').eval()
    images = torch.randn(3, 3, 40, 24)
    kept = images.clone()
    with torch.no_grad():
        batch = encoder(images)
        singles = [encoder(one[None]) for one in images]
    for layer, maps in enumerate(batch):
        stacked = torch.cat([single[layer] for single in singles])
        torch.testing.assert_close(maps, stacked, rtol=1e-5, atol=1e-6)
    assert torch.equal(images, kept)


def test_forward__fewer_outputs__are_the_same_maps() -> None:
    torch.manual_seed(1)
    whole = PerceptionEncoder(TINY, 'all').eval()
    part = PerceptionEncoder(TINY, (0, 2)).eval()
    report = load_encoder_weights(part, whole.state_dict())
    assert len(part.blocks) == 3
    assert any(key.startswith('blocks.3.') for key in report.skipped)
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        every, some = whole(images), part(images)
    assert torch.equal(some[0], every[0])
    assert torch.equal(some[1], every[2])


@pytest.mark.parametrize(('height', 'width'), [(32, 32), (9, 30), (8, 8), (33, 65)])
def test_forward__any_size__covers_every_pixel_and_pads_with_zeros(
    height, width
) -> None:
    encoder = PerceptionEncoder(TINY).eval()
    images = torch.randn(1, 3, height, width)
    rows, columns = -(-height // 8), -(-width // 8)
    padded = torch.zeros(1, 3, rows * 8, columns * 8)
    padded[..., :height, :width] = images
    with torch.no_grad():
        (ours,), (wanted,) = encoder(images), encoder(padded)
    assert ours.shape == (1, 32, rows, columns)
    assert ours.is_contiguous()
    assert torch.equal(ours, wanted)


def test_output_class_token__gives_pairs_of_map_and_token() -> None:
    encoder = PerceptionEncoder(TINY, (1, 3), output_class_token=True).eval()
    plain = PerceptionEncoder(TINY, (1, 3)).eval()
    plain.load_state_dict(encoder.state_dict())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        pairs, maps = encoder(images), plain(images)
    for (map_, token), wanted in zip(pairs, maps, strict=True):
        assert torch.equal(map_, wanted)
        assert token.shape == (2, 32)


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(window_size=2, global_blocks=(3,)),
        dict(variant=TINY | dict(class_token=False)),
    ],
    ids=['with class token', 'windows', 'without class token'],
)
def test_output_class_token__mean__gives_pairs_of_map_and_its_mean(options) -> None:
    options = dict(variant=TINY, out_indices=(1, 3)) | options
    encoder = PerceptionEncoder(**options, output_class_token='mean').eval()
    plain = PerceptionEncoder(**options).eval()
    plain.load_state_dict(encoder.state_dict())
    images = torch.randn(2, 3, 27, 40)
    with torch.no_grad():
        pairs, maps = encoder(images), plain(images)
    assert len(pairs) == 2
    for (map_, mean), wanted in zip(pairs, maps, strict=True):
        assert torch.equal(map_, wanted)
        torch.testing.assert_close(mean, wanted.flatten(2).sum(2) / (4 * 5))


def test_attributes__quarters__tell_necks_what_comes() -> None:
    encoder = PerceptionEncoder(TINY, 'quarters')
    assert encoder.out_indices == (0, 1, 2, 3)
    assert encoder.embed_dims == 32
    assert encoder.out_channels == (32, 32, 32, 32)
    assert encoder.patch_size == 8


def test_patch_size__at_construction__scales_the_grid_and_resamples_weights() -> None:
    source = PerceptionEncoder(TINY).eval()
    encoder = PerceptionEncoder(TINY, patch_size=16).eval()
    report = load_encoder_weights(encoder, source.state_dict())
    assert 'patch_embed.proj.weight' in str(report.resampled)
    flat = torch.full((1, 3, 32, 32), 0.5)
    with torch.no_grad():
        # A constant image looks the same through the resampled kernel.
        coarse = encoder.patch_embed(torch.cat([flat, flat], dim=2))
        fine = source.patch_embed(flat)
        assert encoder(torch.randn(1, 3, 64, 48))[0].shape == (1, 32, 4, 3)
    torch.testing.assert_close(coarse[:, 0], fine[:, 0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast__half_precision__stays_close_with_an_fp32_stream(dtype) -> None:
    encoder = PerceptionEncoder(TINY, 'all').eval()
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        exact = encoder(images)
        with torch.autocast('cpu', dtype=dtype):
            half = encoder(images)
    for ours, wanted in zip(half, exact, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - wanted).abs().max() < 0.05 * wanted.abs().max()


def test_half_model__half_image__gives_half_maps() -> None:
    encoder = PerceptionEncoder(TINY).eval().bfloat16()
    with torch.no_grad():
        (map_,) = encoder(torch.randn(1, 3, 40, 32, dtype=torch.bfloat16))
    assert map_.dtype == torch.bfloat16
    assert map_.isfinite().all()


@pytest.mark.slow
def test_compile__whole_graph__equals_eager() -> None:
    encoder = PerceptionEncoder(TINY, (1, 3)).eval()
    compiled = torch.compile(encoder, fullgraph=True)
    for size in ((32, 32), (48, 24)):
        images = torch.randn(2, 3, *size)
        with torch.no_grad():
            for ours, wanted in zip(compiled(images), encoder(images), strict=True):
                torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    'name',
    [
        'attn',
        'attn.qkv',
        'attn.proj',
        'drop_path',
        'mlp',
        'mlp.fc1',
        'mlp.act',
        'mlp.fc2',
    ],
)
def test_forward_hook__without_gradients__keeps_what_the_module_gave(name) -> None:
    encoder = PerceptionEncoder(TINY | dict(layer_scale=0.1)).eval()
    images = torch.randn(1, 3, 32, 32)
    kept = {}
    module = encoder.blocks[1].get_submodule(name)
    module.register_forward_hook(lambda *call: kept.update(output=call[-1]))
    (with_gradients,) = encoder(images)
    wanted = kept['output'].detach()
    with torch.no_grad():
        (without,) = encoder(images)
    assert torch.equal(kept['output'], wanted)
    assert torch.equal(without, with_gradients)


def test_flops__mmengines_analysis__counts_the_matrix_products() -> None:
    encoder = PerceptionEncoder(TINY)
    analysis = get_model_complexity_info(encoder, input_shape=(3, 32, 40))
    tokens, width = 4 * 5 + 1, 32
    products = 4 * tokens * 12 * width**2 + (tokens - 1) * 3 * 8 * 8 * width
    assert analysis['flops'] == pytest.approx(products, rel=0.1)


def test_trace__other_image__equals_eager() -> None:
    encoder = PerceptionEncoder(TINY).eval()
    with torch.no_grad():
        traced = torch.jit.trace(encoder, torch.randn(1, 3, 32, 32))
        images = torch.randn(1, 3, 32, 32)
        torch.testing.assert_close(traced(images), encoder(images))


def test_deepcopy__frozen_encoder__stays_frozen_and_equal() -> None:
    encoder = PerceptionEncoder(TINY, freeze=2)
    copy = deepcopy(encoder).train()
    assert [block.training for block in copy.blocks] == [False, False, True, True]
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(copy(images)[0], encoder(images)[0])


def test_class_token__changed_in_place__leaves_the_map_and_gradients_alone() -> None:
    encoder = PerceptionEncoder(TINY, (1, 3), output_class_token=True)
    (_, token), (map_, _) = encoder(torch.randn(1, 3, 32, 32))
    token.mul_(2)
    map_.sum().backward()


@pytest.mark.parametrize('name', ['PerceptionEncoder', 'pe_mm.PerceptionEncoder'])
def test_registry__bare_and_scoped_name__build(name) -> None:
    assert isinstance(MODELS.build(dict(type=name, variant=TINY)), PerceptionEncoder)


DEPTHS = {
    'patch_embed.proj.weight': 0,
    'pos_embed': 0,
    'cls_token': 0,
    'norm_pre.bias': 0,
    'blocks.0.attn.qkv.weight': 1,
    'blocks.0.gamma_1': 1,
    'blocks.9.mlp.fc2.bias': 10,
    'blocks.11.norm2.weight': 12,
    'norm.weight': 13,
    'attn_pool.latent': 13,
    'head.bias': 13,
}


@pytest.mark.parametrize('name', DEPTHS)
@pytest.mark.parametrize('prefix', ['', 'backbone.', 'model.img_encoder.'])
def test_get_layer_depth__any_part__counts_embedding_blocks_and_the_rest(
    name, prefix
) -> None:
    with torch.device('meta'):
        encoder = PerceptionEncoder(
            TINY_CORE | dict(depth=12, layer_scale=0.1), with_pooling=True
        )
    assert encoder.get_parameter(name) is not None
    assert encoder.get_layer_depth(prefix + name, prefix) == (DEPTHS[name], 14)


def test_get_layer_depth__outside_the_prefix__is_that_of_the_heads() -> None:
    encoder = PerceptionEncoder(TINY)
    assert encoder.get_layer_depth('head.fc.weight', 'backbone.') == (5, 6)


def test_get_layer_depth__blocks_not_built__do_not_count() -> None:
    encoder = PerceptionEncoder(TINY, (2,))
    assert encoder.get_layer_depth('blocks.2.norm1.bias') == (3, 5)


def test_get_layer_depth__meta_detector__has_detectron2s_factors() -> None:
    with torch.device('meta'):
        encoder = PerceptionEncoder(
            'PE-Spatial-G14-448', window_size=32, global_blocks=(12, 24, 36, 49)
        )
    wanted = {'pos_embed': 51, 'patch_embed.proj.weight': 51, 'norm_pre.weight': 51}
    wanted |= {f'blocks.{index}.gamma_2': 50 - index for index in range(50)}
    for name, power in wanted.items():
        depth, count = encoder.get_layer_depth(name)
        assert 0.9 ** (count - 1 - depth) == 0.9**power
    for name, _ in encoder.named_parameters():
        depth, count = encoder.get_layer_depth(name)
        assert 0 <= depth < count - 1 == 51


def test_no_weight_decay__names__are_timms() -> None:
    with torch.device('meta'):
        encoder = PerceptionEncoder('PE-Core-T16-384')
        theirs = timm.create_model(encoder.variant.timm_id).no_weight_decay()
    names = {name for name, _ in encoder.named_parameters()}
    assert encoder.no_weight_decay() == theirs & names == {'pos_embed', 'cls_token'}


def test_hidden_patches__do_not_show_and_the_others_do() -> None:
    encoder = PerceptionEncoder(TINY, 'all', with_mask_token=True).eval()
    images = torch.randn(2, 3, 32, 24)
    hidden = torch.zeros(2, 4, 3, dtype=torch.bool)
    hidden[0, 1, 2] = hidden[1, 3, 0] = True
    other = images.clone()
    other[0, :, 8:16, 16:] = other[1, :, 24:, :8] = 7.0
    with torch.no_grad():
        first, second = encoder(images, hidden), encoder(other, hidden)
        plain, none = encoder(images), encoder(images, torch.zeros_like(hidden))
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two)
    assert not torch.allclose(first[0], plain[0])
    assert all(torch.equal(one, two) for one, two in zip(plain, none, strict=True))


def test_mask_token__is_trained_and_weights_without_it_load() -> None:
    source = PerceptionEncoder(TINY)
    encoder = PerceptionEncoder(TINY, with_mask_token=True)
    token = encoder.mask_token.detach().clone()
    load_encoder_weights(encoder, source.state_dict())
    assert torch.equal(encoder.mask_token, token)
    hidden = torch.ones(1, 4, 4, dtype=torch.bool)
    encoder(torch.randn(1, 3, 32, 32), hidden)[0].square().mean().backward()
    assert encoder.mask_token.grad.abs().sum() > 0
    report = load_encoder_weights(source, encoder.state_dict())
    assert 'mask token' in report.skipped['mask_token']


def test_forward_with_embedding__equals_both_passes() -> None:
    encoder = PerceptionEncoder(TINY_CORE, (1, 3), with_pooling=True).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        maps, embedding = encoder.forward_with_embedding(images)
        assert torch.equal(embedding, encoder.embed_image(images))
        for ours, wanted in zip(maps, encoder(images), strict=True):
            assert torch.equal(ours, wanted)
    with pytest.raises(ValueError, match='with_pooling=True'):
        PerceptionEncoder(TINY).forward_with_embedding(images)
