"""The encoder against Meta's outputs, timm's models and its own promises."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import pytest
import timm
import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.model import PretrainedInit
from mmengine.registry import MODELS
from torch import Tensor

from helpers import golden, golden_variant, image
from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, load_encoder_weights

GOLDEN = (
    'core_cls',
    'spatial_cls_patch16',
    'spatial_nocls_layerscale',
    'full_PE-Spatial-T16-512',
)
TINY = dict(depth=4, width=32, heads=4, patch_size=8, image_size=32)
TINY_CORE = TINY | dict(pool='attn', final_norm=True, embed_dim=12)


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


def test_attributes__quarters__tell_necks_what_comes() -> None:
    encoder = PerceptionEncoder(TINY, 'quarters')
    assert encoder.out_indices == (0, 1, 2, 3)
    assert encoder.embed_dims == 32
    assert encoder.out_channels == (32, 32, 32, 32)
    assert encoder.patch_size == 8


@pytest.mark.parametrize(
    'options',
    [
        dict(out_indices=(1, 2)),
        dict(out_indices=(1, 3), with_cp=True, drop_path_rate=0.1),
        dict(patch_size=16),
    ],
)
def test_backward__dense_outputs__reach_every_parameter(options) -> None:
    encoder = PerceptionEncoder(TINY | dict(layer_scale=0.1), **options).train()
    maps = encoder(torch.randn(8, 3, 40, 32))
    sum(map_.square().mean() for map_ in maps).backward()
    assert [
        n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


def test_backward__pooled_embedding__reaches_every_parameter() -> None:
    encoder = PerceptionEncoder(TINY_CORE, with_pooling=True)
    encoder.embed_image(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None] == []


def test_with_cp__gradients__equal_those_without() -> None:
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        encoder = PerceptionEncoder(TINY, with_cp=with_cp, drop_path_rate=0.5).train()
        images = torch.randn(4, 3, 32, 32)
        encoder(images)[0].square().mean().backward()
        gradients.append([p.grad for p in encoder.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_with_cp__activations__are_not_stored() -> None:
    def saved(with_cp: bool) -> int:
        encoder = PerceptionEncoder(TINY, with_cp=with_cp).train()
        sizes = []

        def pack(tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            encoder(torch.randn(4, 3, 32, 32))
        return sum(sizes)

    assert saved(True) < 0.2 * saved(False)


def test_drop_path_rate__grows_linearly_over_the_blocks_built() -> None:
    encoder = PerceptionEncoder(TINY, (2,), drop_path_rate=0.2)
    rates = [getattr(block.drop_path, 'drop_prob', 0.0) for block in encoder.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2])


@pytest.mark.parametrize('freeze', [1, 3, True])
def test_freeze__blocks__get_no_gradients_keep_nothing_and_stay_in_eval(freeze) -> None:
    encoder = PerceptionEncoder(
        TINY_CORE, apply_final_norm=True, freeze=freeze, drop_path_rate=0.5
    ).train()
    frozen = 4 if freeze is True else freeze
    assert [block.training for block in encoder.blocks] == [
        index >= frozen for index in range(4)
    ]
    assert not encoder.patch_embed.training
    trainable = {
        n.split('.')[1]
        for n, p in encoder.blocks.named_parameters('blocks')
        if p.requires_grad
    }
    assert trainable == {str(index) for index in range(frozen, 4)}
    stem = ('patch_embed.proj.weight', 'pos_embed', 'cls_token', 'norm_pre.weight')
    parameters = dict(encoder.named_parameters())
    assert not any(parameters[name].requires_grad for name in stem)
    assert parameters['norm.weight'].requires_grad is (freeze is not True)

    kept = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        (map_,) = encoder(torch.randn(2, 3, 32, 32))
    assert bool(kept) is (freeze is not True)
    assert map_.requires_grad is (freeze is not True)
    if map_.requires_grad:
        map_.square().mean().backward()
        trainable = [p for p in parameters.values() if p.requires_grad]
        assert all(p.grad is not None for p in trainable)


@pytest.fixture
def one_process_group(tmp_path) -> Iterator[None]:
    """Join a group of one process, which is enough for DDP's checks."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    'options',
    [
        dict(out_indices=(1, 2)),
        dict(freeze=2),
        dict(with_cp=True, freeze=1),
        dict(output_class_token=True),
    ],
)
@pytest.mark.usefixtures('one_process_group')
def test_ddp__two_steps__needs_no_find_unused_parameters(options) -> None:
    encoder = PerceptionEncoder(TINY, **options).train()
    parallel = torch.nn.parallel.DistributedDataParallel(encoder)
    images = torch.randn(2, 3, 32, 32)
    for _ in range(2):  # the second step finds what the first did not reduce
        outputs = parallel(images)
        maps = [out[0] if isinstance(out, tuple) else out for out in outputs]
        sum(map_.square().mean() for map_ in maps).backward()
    assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)


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


def test_state_dict__saved_and_loaded__gives_the_same_maps(tmp_path) -> None:
    encoder = PerceptionEncoder(TINY).eval()
    torch.save(encoder.state_dict(), tmp_path / 'weights.pth')
    other = PerceptionEncoder(
        TINY,
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth')),
    ).eval()
    other.init_weights()
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(encoder(images)[0], other(images)[0])
    other.init_weights()
    with torch.no_grad():
        assert torch.equal(encoder(images)[0], other(images)[0])


def test_init_weights__after_loading_by_hand__keeps_the_weights() -> None:
    encoder = PerceptionEncoder(TINY_CORE, with_pooling=True)
    other = PerceptionEncoder(TINY_CORE, with_pooling=True)
    other.load_state_dict(encoder.state_dict())
    other.init_weights()
    for key, value in other.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[key]), key


def test_forward__configured_weights_not_loaded__is_refused() -> None:
    encoder = PerceptionEncoder('PE-Spatial-T16-512', (0,), pretrained=True)
    weights = 'hf://facebook/PE-Spatial-T16-512/PE-Spatial-T16-512.pt'
    with pytest.raises(
        RuntimeError, match=f"'{weights}' are configured but not loaded"
    ):
        encoder(torch.randn(1, 3, 32, 32))
    encoder.load_state_dict(PerceptionEncoder(encoder.variant, (0,)).state_dict())
    assert encoder(torch.randn(1, 3, 32, 32))[0].shape == (1, 192, 2, 2)


@pytest.mark.parametrize('kind', ['mmengine.Pretrained', PretrainedInit])
def test_init_weights__any_spelling_of_pretrained__is_strict(kind) -> None:
    cfg = dict(type=kind, checkpoint='missing.pt')
    encoder = PerceptionEncoder(TINY, init_cfg=cfg)
    with pytest.raises(RuntimeError, match='configured but not loaded'):
        encoder(torch.zeros(1, 3, 32, 32))
    with pytest.raises(CheckpointError, match='missing.pt'):
        encoder.init_weights()


@pytest.mark.parametrize('spoil', ['lacks a key', 'has another shape'])
def test_forward__configured_weights_loaded_in_part__is_refused(spoil) -> None:
    encoder = PerceptionEncoder(TINY, init_cfg=dict(type='Pretrained', checkpoint='w'))
    state_dict = PerceptionEncoder(TINY).state_dict()
    if spoil == 'lacks a key':
        del state_dict['blocks.3.mlp.fc2.weight']
        encoder.load_state_dict(state_dict, strict=False)
    else:
        state_dict['pos_embed'] = torch.zeros(1, 5, 32)
        with pytest.raises(RuntimeError, match='size mismatch'):
            encoder.load_state_dict(state_dict, strict=False)
    with pytest.raises(RuntimeError, match='configured but not loaded'):
        encoder(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize(
    'name', ['attn', 'attn.qkv', 'attn.proj', 'mlp', 'mlp.fc1', 'mlp.act', 'mlp.fc2']
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


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(variant='PE-Spatial-X'), "unknown variant 'PE-Spatial-X'"),
        (dict(out_indices=(4,)), 'layer 4 does not exist'),
        (dict(freeze=5), r'freeze=5 is impossible: 4 blocks are built'),
        (dict(freeze=-1), r'freeze=-1 is impossible'),
        (dict(freeze='all'), r"freeze='all' is impossible: .* use True for the whole"),
        (dict(freeze=None), r'freeze=None is impossible'),
        (dict(drop_path_rate='0.1'), r"number in \[0, 1\), got '0.1'"),
        (dict(out_indices=None), 'integer block id, got None'),
        (dict(pretrained='w.pt'), "must be True or False, got 'w.pt'; for a file pass"),
        (dict(init_cfg='w.pt'), "init_cfg must be a dict .* got 'w.pt'"),
        (dict(init_cfg=dict(type='Pretrained')), 'one dict with a checkpoint'),
        (dict(out_indices=(1,), freeze=3), '2 blocks are built'),
        (
            dict(drop_path_rate=1.0),
            r'drop_path_rate must be a number in \[0, 1\), got 1.0',
        ),
        (dict(patch_size=0), 'patch_size must be an int >= 1'),
        (dict(apply_final_norm=True), 'has no final norm'),
        (dict(with_pooling=True), 'has no pooling'),
        (
            dict(variant=TINY_CORE, out_indices=(2,), with_pooling=True),
            r'out_indices must end with 3, got \(2,\)',
        ),
        (
            dict(variant=TINY | dict(class_token=False), output_class_token=True),
            'custom has no class token',
        ),
        (dict(pretrained=True), 'custom one has no weights'),
        (
            dict(variant='PE-Core-T16-384', pretrained=True, init_cfg=dict(type='x')),
            'both say where weights come from',
        ),
    ],
)
def test_init__bad_option__says_what_is_allowed(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        PerceptionEncoder(**{'variant': TINY} | options)


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        ([torch.zeros(3, 32, 32)], 'must be a tensor .* got list'),
        (torch.zeros(1, 4, 32, 32), r'got \(1, 4, 32, 32\)'),
        (torch.zeros(3, 32, 32), r'got \(3, 32, 32\)'),
        (
            torch.zeros(1, 3, 32, 32, dtype=torch.uint8),
            r'got torch.uint8; normalise 0-255 RGB first',
        ),
        (
            torch.zeros(1, 3, 32, 32, dtype=torch.float64),
            'image is torch.float64, the weights are torch.float32',
        ),
        (torch.zeros(1, 3, 7, 32), r'7 x 32 px is smaller than a patch of 8 px'),
    ],
)
def test_forward__bad_image__says_what_is_wrong(images, message) -> None:
    with pytest.raises(ValueError, match=message):
        PerceptionEncoder(TINY)(images)


def test_embed_image__without_pooling__says_how_to_get_it() -> None:
    with pytest.raises(ValueError, match='with_pooling=True'):
        PerceptionEncoder(TINY_CORE).embed_image(torch.zeros(1, 3, 32, 32))
