"""The table of names, in both directions."""

import pytest
import torch
from timm.models.eva import _convert_pe

from helpers import golden
from pe_mm.backbones import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError
from pe_mm.checkpoints.rename_rules import meta_name, meta_to_ours, ours_to_meta
from pe_mm.variants import VARIANTS

GOLDEN = ['core_cls', 'spatial_cls_patch16', 'spatial_nocls_layerscale']


def assert_same(ours, theirs) -> None:
    assert set(ours) == set(theirs)
    for key, tensor in theirs.items():
        torch.testing.assert_close(ours[key], tensor, rtol=0, atol=0)


def meta_state(variant, width=16):
    """Make a variant's weights in Meta's names, as deep as it is but narrow."""
    make = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, generator=make)

    def linear(name, inputs, outputs):
        return {
            f'{name}.weight': random(outputs, inputs),
            f'{name}.bias': random(outputs),
        }

    def norm(name):
        return {f'{name}.weight': random(width), f'{name}.bias': random(width)}

    def attention(name):
        return linear(f'{name}.out_proj', width, width) | {
            f'{name}.in_proj_weight': random(3 * width, width),
            f'{name}.in_proj_bias': random(3 * width),
        }

    def mlp(name):
        hidden = round(width * variant.mlp_ratio)
        up, down = (
            linear(f'{name}.c_fc', width, hidden),
            linear(f'{name}.c_proj', hidden, width),
        )
        return up | down

    state = norm('ln_pre') | {
        'conv1.weight': random(width, 3, variant.patch_size, variant.patch_size),
        'positional_embedding': random(
            variant.grid_size**2 + variant.class_token, width
        ),
    }
    if variant.class_token:
        state['class_embedding'] = random(width)
    for i in range(variant.depth):
        block = f'transformer.resblocks.{i}'
        state |= norm(f'{block}.ln_1') | norm(f'{block}.ln_2')
        state |= attention(f'{block}.attn') | mlp(f'{block}.mlp')
        if variant.layer_scale is not None:
            state |= {f'{block}.ls_{n}.gamma': random(width) for n in (1, 2)}
    if variant.final_norm:
        state |= norm('ln_post')
    if variant.pool:
        state |= attention('attn_pool.attn') | mlp('attn_pool.mlp')
        state |= norm('attn_pool.layernorm')
        state |= {'attn_pool.probe': random(1, 1, width), 'proj': random(width, 8)}
    return state


@pytest.mark.parametrize('name', VARIANTS)
def test_meta_to_ours__every_variant__equals_timms_conversion(name) -> None:
    state = meta_state(VARIANTS[name])
    renamed = meta_to_ours(state)
    assert renamed.unknown == []
    assert_same(renamed.tensors, _convert_pe(dict(state), None, prefix=''))


@pytest.mark.parametrize('name', VARIANTS)
def test_meta_to_ours__every_variant__gives_the_encoders_names(name) -> None:
    variant = VARIANTS[name]
    with torch.device('meta'):
        encoder = PerceptionEncoder(
            variant,
            apply_final_norm=variant.final_norm,
            with_pooling=variant.pool is not None,
        )
    assert set(meta_to_ours(meta_state(variant)).tensors) == set(encoder.state_dict())


@pytest.mark.parametrize('name', VARIANTS)
def test_round_trip__every_variant__gives_the_same_bits(name) -> None:
    state = meta_state(VARIANTS[name])
    ours = meta_to_ours(state).tensors
    back = ours_to_meta(ours)
    assert back.unknown == []
    assert_same(back.tensors, state)
    assert_same(meta_to_ours(back.tensors).tensors, ours)


@pytest.mark.parametrize('name', GOLDEN)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_round_trip__golden_keys__keeps_bits_and_dtype(name, dtype) -> None:
    state = {key: tensor.to(dtype) for key, tensor in golden(name)[1].items()}
    ours = meta_to_ours(state).tensors
    assert {tensor.dtype for tensor in ours.values()} == {dtype}
    assert_same(ours_to_meta(ours).tensors, state)


def test_origin__split_pooling__names_the_stacked_tensor() -> None:
    renamed = meta_to_ours(golden('core_cls')[1])
    assert renamed.origin['attn_pool.q.bias'] == ('attn_pool.attn.in_proj_bias',)
    assert renamed.origin['attn_pool.kv.bias'] == ('attn_pool.attn.in_proj_bias',)
    assert renamed.origin['head.bias'] == ('proj',)
    back = ours_to_meta(renamed.tensors)
    assert back.origin['proj'] == ('head.weight', 'head.bias')


def test_unknown_names__both_directions__are_listed_not_dropped() -> None:
    tensor = torch.zeros(2)
    assert meta_to_ours({'conv1.bias': tensor, 'ln_3.weight': tensor}).unknown == [
        'conv1.bias',
        'ln_3.weight',
    ]
    assert ours_to_meta({'blocks.0.ls1.gamma': tensor}).unknown == [
        'blocks.0.ls1.gamma'
    ]


def test_ours_to_meta__head_with_a_bias__is_an_error() -> None:
    ours = meta_to_ours(golden('core_cls')[1]).tensors
    ours['head.bias'] = torch.full((32,), 0.5)
    with pytest.raises(CheckpointError, match=r"'head.bias' is not zero"):
        ours_to_meta(ours)


def test_ours_to_meta__half_of_a_split_tensor__names_the_other() -> None:
    ours = meta_to_ours(golden('core_cls')[1]).tensors
    del ours['attn_pool.kv.weight']
    with pytest.raises(CheckpointError, match=r'attn_pool\.kv\.weight not there'):
        ours_to_meta(ours)


@pytest.mark.parametrize('shape', [(4, 8), (1, 4, 8)])
def test_meta_to_ours__position_embedding_with_or_without_batch__gets_one(
    shape,
) -> None:
    # Meta's detectors store the batch dimension too.
    rows = torch.randn(shape)
    ours = meta_to_ours({'positional_embedding': rows}).tensors
    assert torch.equal(ours['pos_embed'], rows.reshape(1, 4, 8))
    back = ours_to_meta(ours).tensors
    assert torch.equal(back['positional_embedding'], rows.reshape(4, 8))


@pytest.mark.parametrize(
    ('key', 'shape', 'message'),
    [
        (
            'positional_embedding',
            (8,),
            r'shape \(8,\); Meta stores it with 2 or 3 dim.+s$',
        ),
        (
            'positional_embedding',
            (1, 1, 4, 8),
            r'shape \(1, 1, 4, 8\); .* 2 or 3 dimensions$',
        ),
        (
            'class_embedding',
            (1, 8),
            r'shape \(1, 8\); Meta stores it with 1 dimension$',
        ),
        ('proj', (8,), r'shape \(8,\); Meta stores it with 2 dimensions$'),
    ],
)
def test_meta_to_ours__other_number_of_dimensions__is_an_error_with_its_shape(
    key, shape, message
) -> None:
    with pytest.raises(CheckpointError, match=message):
        meta_to_ours({key: torch.zeros(shape)})


def test_meta_name__our_name__is_metas() -> None:
    name = meta_name('blocks.12.attn.qkv.bias')
    assert name == 'transformer.resblocks.12.attn.in_proj_bias'
    assert meta_name('blocks.12.attn.rope') is None
