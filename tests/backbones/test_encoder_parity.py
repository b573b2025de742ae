"""Features against Meta's own outputs, timm's models and a plain reference."""

import numpy as np
import pytest
import timm
import torch
from naive_encoder import naive_maps
from torch import Tensor, nn

from helpers import golden, golden_variant, image
from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import load_encoder_weights

GOLDEN = (
    'core_cls',
    'spatial_cls_patch16',
    'spatial_nocls_layerscale',
    'full_PE-Spatial-T16-512',
)
GOLDEN_DETECTORS = (
    'vitdet_window4',
    'vitdet_bicubic_posemb_cls',
    'deta_window3_padded',
)
# Trained grid 4 x 4.
TINY = dict(depth=4, width=24, heads=2, patch_size=4, image_size=16, layer_scale=0.5)
# Side of a window and image in pixels, with patches of 4.
LAYOUTS = {
    'divided': (4, (32, 32)),
    'divided, wide': (2, (16, 40)),
    'as large as the map': (5, (20, 20)),
    'one row of windows': (3, (12, 36)),
    'padded right': (4, (32, 36)),
    'padded below': (4, (20, 32)),
    'padded on both sides': (3, (28, 44)),
    'padded, image too': (3, (27, 38)),
    'larger than one side': (5, (8, 36)),
    'larger than the other side': (7, (30, 12)),
    'single tokens': (1, (12, 20)),
    'none': (None, (20, 28)),
}
ROPES = {
    'integers': dict(rope='extrapolate'),
    'rescaled to the trained grid': dict(rope='rescale'),
    'rescaled to 3': dict(rope='rescale', rope_reference_size=3),
}


def golden_encoder(name: str, **options) -> tuple[PerceptionEncoder, dict, dict]:
    """Return the encoder of a golden case, its JSON and its arrays."""
    config, state_dict, arrays = golden(name)
    encoder = PerceptionEncoder(golden_variant(config), config['layers'], **options)
    load_encoder_weights(encoder, state_dict)
    return encoder.eval(), config, arrays


def golden_images(config: dict) -> dict[str, Tensor]:
    """Return the images of a golden case by the name of their size."""
    return {
        f'{height}x{width}': image((2, 3, height, width), seed)
        for (height, width), seed in zip(
            config['sizes'], config['image_seeds'], strict=True
        )
    }


def golden_detector_encoder(meta: dict) -> PerceptionEncoder:
    """Return the encoder that the configuration of one of Meta's detectors asks for."""
    variant = dict(
        depth=meta['depth'],
        width=meta['embed_dim'],
        heads=meta['num_heads'],
        mlp_ratio=meta['mlp_ratio'],
        patch_size=meta['patch_size'],
        image_size=meta['pretrain_img_size'],
        class_token=False,
        layer_scale=meta['init_values'],
    )
    windowed = meta['window_block_indexes']
    return PerceptionEncoder(
        variant,
        'all',
        window_size=meta['window_size'],
        global_blocks=[i for i in range(meta['depth']) if i not in windowed],
        rope='rescale',
        rope_reference_size=meta['pt_hw_seq_len'],
        position_embedding='tile' if meta['tile_posemb'] else 'resize_bicubic',
    )


def windowed_encoder(window_size: int | None, **options) -> PerceptionEncoder:
    """Return an encoder whose attention and biases are far from uniform."""
    class_token = window_size is not None
    encoder = PerceptionEncoder(
        TINY | dict(class_token=class_token),
        'all',
        window_size=window_size,
        global_blocks=() if window_size is None else (2,),
        **options,
    )
    for name, parameter in encoder.named_parameters():
        if 'gamma' not in name:
            nn.init.normal_(parameter, float('norm' in name), 0.3)
    return encoder


def naive_of(encoder: PerceptionEncoder, weights: dict, images: Tensor) -> list[Tensor]:
    """Return the maps that the plain reference computes for an encoder."""
    return naive_maps(
        weights,
        images,
        heads=encoder.variant.heads,
        window_size=encoder.window_size,
        global_blocks=(2,),
        reference_size=encoder.rope_reference_size,
        position_embedding=encoder.position_embedding,
    )


def assert_parity(ours: Tensor, metas: np.ndarray) -> None:
    """Compare within 1e-5 of the largest value; 1e-4 is promised."""
    assert ours.shape == metas.shape
    difference = np.abs(ours.detach().numpy() - metas).max()
    assert difference <= 1e-5 * np.abs(metas).max()


@pytest.mark.parametrize('grad', [False, True])
@pytest.mark.parametrize('name', GOLDEN)
def test_forward__every_layer_and_size__equals_metas(name, grad) -> None:
    encoder, config, arrays = golden_encoder(name)
    for size, images in golden_images(config).items():
        with torch.set_grad_enabled(grad):
            maps = encoder(images)
        for ours, metas in zip(maps, arrays[f'{size}/layers'], strict=True):
            assert_parity(ours, metas)


def test_final_norm_and_pooling__core__equal_metas() -> None:
    encoder, config, arrays = golden_encoder(
        'core_cls', apply_final_norm=True, with_pooling=True
    )
    pooling_only = golden_encoder('core_cls', with_pooling=True)[0]
    for size, images in golden_images(config).items():
        with torch.no_grad():
            assert_parity(encoder(images)[-1], arrays[f'{size}/last_normed'])
            assert_parity(encoder.embed_image(images), arrays[f'{size}/pooled'])
            assert_parity(pooling_only.embed_image(images), arrays[f'{size}/pooled'])


@pytest.mark.parametrize('grad', [False, True])
@pytest.mark.parametrize('name', GOLDEN_DETECTORS)
def test_forward__every_block_of_a_detector__equals_metas(name, grad) -> None:
    config, state_dict, arrays = golden(name)
    encoder = golden_detector_encoder(config['config']).eval()
    load_encoder_weights(encoder, state_dict)
    images = image((2, 3, *config['size']), config['image_seed'])
    with torch.set_grad_enabled(grad):
        maps = encoder(images)
    for ours, metas in zip(maps, arrays['layers'], strict=True):
        assert_parity(ours, metas)
    if 'out/last_feat' in arrays:
        assert_parity(maps[-1], arrays['out/last_feat'])


@pytest.mark.parametrize('position_embedding', ['resize', 'resize_bicubic', 'tile'])
@pytest.mark.parametrize('rope', ROPES)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_forward__any_window_and_map__equals_the_plain_reference(
    layout, rope, position_embedding
) -> None:
    window_size, size = LAYOUTS[layout]
    encoder = windowed_encoder(
        window_size, position_embedding=position_embedding, **ROPES[rope]
    ).eval()
    images = torch.randn(2, 3, *size)
    wanted = naive_of(encoder, encoder.state_dict(), images)
    with_gradients = encoder(images)
    with torch.no_grad():
        without = encoder(images)
    for ours, fast, naive in zip(with_gradients, without, wanted, strict=True):
        assert_parity(ours, naive.numpy())
        assert_parity(fast, naive.numpy())


@pytest.mark.parametrize('layout', LAYOUTS)
def test_backward__any_window_and_map__equals_the_plain_reference(layout) -> None:
    window_size, size = LAYOUTS[layout]
    encoder = windowed_encoder(window_size, rope='rescale', position_embedding='tile')
    images = torch.randn(2, 3, *size, requires_grad=True)
    exact = images.detach().double().requires_grad_()
    weights = {
        name: parameter.detach().double().requires_grad_()
        for name, parameter in encoder.named_parameters()
    }
    maps, wanted = encoder(images), naive_of(encoder, weights, exact)
    directions = [torch.randn_like(map_) for map_ in maps]
    torch.autograd.backward(maps, directions)
    torch.autograd.backward(wanted, [direction.double() for direction in directions])
    for name, ours, naive in (
        ('image', images, exact),
        *((name, p, weights[name]) for name, p in encoder.named_parameters()),
    ):
        difference = (ours.grad - naive.grad).abs().max()
        assert difference <= 1e-4 * naive.grad.abs().max(), name


@pytest.mark.parametrize('layout', ['divided', 'padded on both sides', 'none'])
def test_forward__double_precision__equals_the_plain_reference_closer(layout) -> None:
    window_size, size = LAYOUTS[layout]
    encoder = windowed_encoder(window_size, rope='rescale').double().eval()
    images = torch.randn(1, 3, *size, dtype=torch.float64)
    wanted = naive_of(encoder, encoder.state_dict(), images)
    with torch.no_grad():
        maps = encoder(images)
    for ours, naive in zip(maps, wanted, strict=True):
        assert ours.dtype == torch.float64
        # RoPE's table is in single precision.
        assert (ours - naive).abs().max() <= 5e-7 * naive.abs().max()


@pytest.mark.parametrize(
    'variant',
    ['PE-Spatial-T16-512', 'PE-Core-B16-224', 'PE-Lang-L14-448', 'PE-Spatial-G14-448'],
)
def test_forward__native_grid__equals_timms(variant) -> None:
    encoder = PerceptionEncoder(variant, (0, 1)).eval()
    theirs = timm.create_model(encoder.variant.timm_id, depth=2).eval()
    theirs.prune_intermediate_layers([0, 1], prune_norm=True)
    theirs.load_state_dict(encoder.state_dict())
    images = torch.randn(1, 3, *[encoder.variant.image_size] * 2)
    with torch.no_grad():
        wanted = theirs.forward_intermediates(
            images, indices=[0, 1], intermediates_only=True
        )
        for ours, timms in zip(encoder(images), wanted, strict=True):
            assert (ours - timms).abs().max() <= 1e-5 * timms.abs().max()


def test_embed_image__native_grid__equals_timms() -> None:
    encoder = PerceptionEncoder('PE-Core-T16-384', with_pooling=True).eval()
    theirs = timm.create_model(encoder.variant.timm_id).eval()
    theirs.load_state_dict(encoder.state_dict())
    images = torch.randn(1, 3, 384, 384)
    with torch.no_grad():
        ours, timms = encoder.embed_image(images), theirs(images)
    assert ours.shape == (1, 512)
    assert (ours - timms).abs().max() <= 1e-5 * timms.abs().max()
