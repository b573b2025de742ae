"""What windowed attention promises beyond the features themselves."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.registry import MODELS
from torch import Tensor

from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import load_encoder_weights

TINY = dict(depth=5, width=32, heads=4, patch_size=8, image_size=32)
PLAIN = TINY | dict(class_token=False, layer_scale=0.5)
DIVIDED = dict(window_size=2, global_blocks=(2,), rope='rescale')
PADDED = dict(window_size=3, global_blocks=(2,), position_embedding='tile')
# Divided by 2 tokens, and not by 3.
SIZE = (32, 48)


def lively(encoder: PerceptionEncoder) -> PerceptionEncoder:
    """Enlarge the weights, so that what attention sees shows in the maps."""
    with torch.no_grad():
        for parameter in encoder.blocks.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return encoder


def without_gradients(encoder: PerceptionEncoder, images: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return list(encoder(images))


@pytest.mark.parametrize('grad', [False, True])
def test_forward__window_as_large_as_the_map__equals_global_attention(grad) -> None:
    plain = lively(PerceptionEncoder(PLAIN, 'all', drop_path_rate=0.5)).train()
    windowed = PerceptionEncoder(PLAIN, 'all', drop_path_rate=0.5, window_size=5)
    windowed.load_state_dict(plain.state_dict())
    images, maps = torch.randn(4, 3, 40, 40), []
    for encoder in (plain, windowed.train()):
        torch.manual_seed(0)
        with torch.set_grad_enabled(grad):
            maps.append(encoder(images))
    for ours, wanted in zip(*maps, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_forward__one_window_changed__leaves_the_others_alone(options) -> None:
    size = options['window_size']
    encoder = lively(PerceptionEncoder(PLAIN, 'all', **options)).eval()
    images = torch.randn(1, 3, *SIZE)
    changed = images.clone()
    changed[..., :8, :8] += 1
    for layer, (a, b) in enumerate(
        zip(*(without_gradients(encoder, x) for x in (images, changed)), strict=True)
    ):
        differs = (a != b).any(dim=1)[0]
        window = torch.zeros(4, 6, dtype=torch.bool)
        window[:size, :size] = True
        # Block 2 is global: from there on every token may differ.
        assert torch.equal(differs, window if layer < 2 else torch.ones_like(window))


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_out_indices__within_windowed_blocks__are_the_same_maps(options) -> None:
    whole = lively(PerceptionEncoder(PLAIN, 'all', **options)).eval()
    images = torch.randn(2, 3, *SIZE)
    every = without_gradients(whole, images)
    for chosen in ((0,), (1, 3), (2, 4), (0, 1, 2)):
        cut = options | dict(global_blocks=(2,) if chosen[-1] >= 2 else ())
        part = PerceptionEncoder(PLAIN, chosen, **cut).eval()
        load_encoder_weights(part, whole.state_dict())
        for layer, map_ in zip(chosen, without_gradients(part, images), strict=True):
            assert map_.shape == (2, 32, 4, 6)
            assert map_.is_contiguous()
            assert torch.equal(map_, every[layer])


@pytest.mark.parametrize('options', [DIVIDED, PADDED, dict(window_size=6)])
def test_forward__without_gradients__overwrites_nothing_that_others_see(
    options,
) -> None:
    encoder = lively(PerceptionEncoder(PLAIN, 'all', **options)).eval()
    images = torch.randn(2, 3, 48, 48)
    kept, seen = images.clone(), []
    for block in encoder.blocks:
        block.register_forward_pre_hook(
            lambda _, inputs: seen.append((inputs[0], inputs[0].clone()))
        )
    without = without_gradients(encoder, images)
    assert torch.equal(images, kept)
    assert len(seen) == 5
    assert all(torch.equal(given, copy) for given, copy in seen)
    for ours, wanted in zip(without, encoder(images), strict=True):
        assert torch.equal(ours, wanted)


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_forward__batch__equals_singles(options) -> None:
    encoder = lively(PerceptionEncoder(PLAIN, 'all', **options)).eval()
    images = torch.randn(3, 3, *SIZE)
    batch = without_gradients(encoder, images)
    singles = [without_gradients(encoder, one[None]) for one in images]
    for layer, maps in enumerate(batch):
        stacked = torch.cat([single[layer] for single in singles])
        torch.testing.assert_close(maps, stacked, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_forward__empty_batch__gives_empty_maps(options) -> None:
    (map_,) = PerceptionEncoder(PLAIN, **options)(torch.zeros(0, 3, *SIZE))
    assert map_.shape == (0, 32, 4, 6)


def test_position_embedding__tile__shows_each_window_what_it_was_trained_with() -> None:
    encoder = lively(
        PerceptionEncoder(
            PLAIN, window_size=4, rope='rescale', position_embedding='tile'
        )
    ).eval()
    alone = PerceptionEncoder(PLAIN).eval()
    alone.load_state_dict(encoder.state_dict())
    images = torch.randn(1, 3, 64, 96)
    (map_,) = without_gradients(encoder, images)
    for row in (0, 4):
        for column in (0, 4, 8):
            crop = images[..., row * 8 : row * 8 + 32, column * 8 : column * 8 + 32]
            (own,) = without_gradients(alone, crop)
            torch.testing.assert_close(
                map_[..., row : row + 4, column : column + 4],
                own,
                rtol=1e-4,
                atol=1e-5,
            )


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_autocast__windows__stay_close_with_an_fp32_stream(dtype, options) -> None:
    encoder = PerceptionEncoder(TINY, 'all', **options).eval()
    images = torch.randn(2, 3, *SIZE)
    exact = without_gradients(encoder, images)
    with torch.autocast('cpu', dtype=dtype):
        half = without_gradients(encoder, images)
    for ours, wanted in zip(half, exact, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - wanted).abs().max() < 0.02 * wanted.abs().max()


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_half_model__windows__gives_half_maps_close_to_the_exact(options) -> None:
    encoder = PerceptionEncoder(TINY, **options).eval()
    images = torch.randn(2, 3, *SIZE).bfloat16()
    (exact,) = without_gradients(encoder, images.float())
    (half,) = without_gradients(encoder.bfloat16(), images)
    assert half.dtype == torch.bfloat16
    assert (half - exact).abs().max() < 0.05 * exact.abs().max()


def test_class_token__windows__is_not_there() -> None:
    encoder = PerceptionEncoder(TINY, **DIVIDED)
    assert encoder.cls_token is None
    assert encoder.pos_embed.shape == (1, 16, 32)
    assert 'cls_token' not in encoder.state_dict()
    assert PerceptionEncoder(TINY).pos_embed.shape == (1, 17, 32)


def test_attributes__window_size__is_an_int_and_windowed_tells_the_blocks() -> None:
    encoder = PerceptionEncoder(
        TINY, window_size=np.int64(2), global_blocks=(1, -1), rope='rescale'
    )
    assert type(encoder.window_size) is int
    assert encoder.windowed == (True, False, True, True, False)
    assert encoder.rope_reference_size == 4
    plain = PerceptionEncoder(TINY)
    assert (plain.window_size, plain.windowed) == (None, (False,) * 5)


def test_registry__meta_detector_options__build_from_a_config() -> None:
    config = dict(
        type='pe_mm.PerceptionEncoder',
        variant=PLAIN | dict(depth=50, width=16, heads=1),
        patch_size=16,
        window_size=32,
        global_blocks=[12, 24, 36, 49],
        rope='rescale',
        rope_reference_size=32,
        position_embedding='tile',
        drop_path_rate=0.5,
        with_cp=True,
    )
    encoder = MODELS.build(config)
    assert [i for i, windowed in enumerate(encoder.windowed) if not windowed] == [
        12,
        24,
        36,
        49,
    ]


@pytest.mark.parametrize(
    'name', ['', 'attn', 'attn.qkv', 'attn.proj', 'drop_path', 'mlp', 'mlp.fc2']
)
@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_forward_hook__windows__keeps_what_the_module_gave(options, name) -> None:
    encoder = lively(PerceptionEncoder(PLAIN, **options)).eval()
    images = torch.randn(2, 3, *SIZE)
    kept = []
    module = encoder.blocks[1].get_submodule(name)
    module.register_forward_hook(lambda *call: kept.append(call[-1]))
    (with_gradients,) = encoder(images)
    (without,) = without_gradients(encoder, images)
    first, second = kept[: len(kept) // 2], kept[len(kept) // 2 :]
    for wanted, ours in zip(first, second, strict=True):
        assert torch.equal(ours, wanted)
    assert torch.equal(without, with_gradients)


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_state_dict__saved_and_loaded__gives_the_same_maps(options, tmp_path) -> None:
    encoder = lively(PerceptionEncoder(TINY, **options)).eval()
    file = tmp_path / 'weights.pth'
    torch.save(encoder.state_dict(), file)
    other = PerceptionEncoder(
        TINY, **options, init_cfg=dict(type='Pretrained', checkpoint=str(file))
    ).eval()
    other.init_weights()
    images = torch.randn(1, 3, *SIZE)
    (wanted,) = without_gradients(encoder, images)
    for same in (other, deepcopy(other)):
        assert torch.equal(without_gradients(same, images)[0], wanted)


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_flops__mmengines_analysis__counts_nothing_for_padding(
    options,
) -> None:
    flops = [
        get_model_complexity_info(
            PerceptionEncoder(PLAIN, **chosen), input_shape=(3, *SIZE)
        )['flops']
        for chosen in ({}, options)
    ]
    tokens, width = 4 * 6, 32
    products = tokens * (5 * 12 * width**2 + 3 * 8 * 8 * width)
    assert flops[1] == pytest.approx(products, rel=0.1)
    assert flops[1] == pytest.approx(flops[0], rel=0.01)


@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_trace__other_image_and_batch__equals_eager(options) -> None:
    encoder = lively(PerceptionEncoder(PLAIN, 'all', **options)).eval()
    with torch.no_grad():
        traced = torch.jit.trace(encoder, torch.randn(1, 3, *SIZE))
    images = torch.randn(2, 3, *SIZE)
    wanted = without_gradients(encoder, images)
    for ours, eager in zip(without_gradients(traced, images), wanted, strict=True):
        torch.testing.assert_close(ours, eager, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('options', [DIVIDED, PADDED])
def test_compile__whole_graph__equals_eager_in_maps_and_gradients(options) -> None:
    variant = PLAIN | dict(depth=3)
    encoder = lively(PerceptionEncoder(variant, (1, 2), **options))
    compiled = torch.compile(encoder, fullgraph=True)
    images = torch.randn(2, 3, *SIZE)
    gradients = []
    for module in (encoder, compiled):
        maps = module(images)
        loss = sum(map_.square().mean() for map_ in maps)
        gradients.append(torch.autograd.grad(loss, list(encoder.parameters())))
    for ours, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-5)
    wanted = without_gradients(encoder, images)
    for ours, eager in zip(without_gradients(compiled, images), wanted, strict=True):
        torch.testing.assert_close(ours, eager, rtol=1e-4, atol=1e-5)
