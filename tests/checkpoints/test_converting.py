"""Conversions give back the same bits, and refuse what has no place."""

import pytest
import torch

from helpers import golden
from pe_mm.backbones import PerceptionEncoder
from pe_mm.checkpoints import CheckpointError, convert_state_dict
from pe_mm.checkpoints.converting import check_complete
from pe_mm.checkpoints.rename_rules import meta_to_ours

CORE = golden('core_cls')[1]
OURS = meta_to_ours(CORE).tensors


def without(state, *keys):
    return {key: tensor for key, tensor in state.items() if key not in keys}


@pytest.mark.parametrize('to', ['timm', 'ours'])
def test_convert__meta_and_back__gives_the_same_bits(to) -> None:
    there = convert_state_dict(CORE, to)
    assert there.layout == 'meta'
    back = convert_state_dict({'state_dict': there.tensors}, 'meta')
    assert back.layout == 'timm'
    assert set(back.tensors) == set(CORE)
    assert all(torch.equal(back.tensors[key], CORE[key]) for key in CORE)


def test_convert__to_its_own_layout__only_drops_the_prefix() -> None:
    named = {f'module.{key}': tensor for key, tensor in OURS.items()}
    conversion = convert_state_dict(named, 'timm')
    assert list(conversion.tensors) == list(OURS)
    assert all(conversion.tensors[key] is OURS[key] for key in OURS)


def test_convert__whole_clip__skips_the_text_tower() -> None:
    clip = {f'visual.{key}': tensor for key, tensor in CORE.items()}
    text = {'text_projection': torch.zeros(2), 'positional_embedding': torch.zeros(2)}
    conversion = convert_state_dict(clip | text, 'meta')
    assert set(conversion.tensors) == set(CORE)
    assert conversion.skipped == dict.fromkeys(text, 'text tower')
    assert conversion.origin['proj'] == ('visual.proj',)


def test_rows__split_tensor__tell_names_shapes_and_dtype() -> None:
    rows = {row['to']: row for row in convert_state_dict(CORE, 'timm').rows()}
    assert len(rows) == len(OURS)
    assert rows['attn_pool.kv.bias'] == {
        'from': ['attn_pool.attn.in_proj_bias'],
        'to': 'attn_pool.kv.bias',
        'shape': [128],
        'dtype': 'float32',
    }


def test_convert__official_architecture__is_named() -> None:
    weights = PerceptionEncoder('PE-Spatial-T16-512').state_dict()
    assert convert_state_dict(weights, 'meta').variants == ['PE-Spatial-T16-512']
    assert convert_state_dict(CORE, 'timm').variants == []


def test_convert__rope_tables__are_skipped() -> None:
    conversion = convert_state_dict(OURS | {'rope.freqs': torch.zeros(2)}, 'meta')
    assert conversion.skipped == {'rope.freqs': 'RoPE table, computed'}


def test_convert__unknown_name__is_an_error() -> None:
    with pytest.raises(CheckpointError, match=r'1 names that no .*: ln_mid\.weight'):
        convert_state_dict(CORE | {'ln_mid.weight': torch.zeros(2)}, 'timm')


@pytest.mark.parametrize('number', ['1000000000', '9' * 5000, '00'])
@pytest.mark.parametrize(
    ('state', 'name'),
    [
        (CORE, 'transformer.resblocks.{}.ln_1.weight'),
        (OURS, 'blocks.{}.norm1.weight'),
    ],
)
def test_convert__impossible_block_number__is_an_unknown_name(
    state, name, number
) -> None:
    extra = {name.format(number): torch.zeros(64)}
    with pytest.raises(CheckpointError, match='1 names that no Perception Encoder'):
        convert_state_dict(state | extra, 'ours')


def test_convert__tensor_on_the_meta_device__is_an_error() -> None:
    state = CORE | {'proj': CORE['proj'].to('meta')}
    with pytest.raises(CheckpointError, match='2 tensors are on the meta device'):
        convert_state_dict(state, 'timm')


def test_convert__dict_that_holds_itself__is_an_error() -> None:
    state = {}
    state['model'] = state
    with pytest.raises(CheckpointError, match="no weights .* it holds 'model'"):
        convert_state_dict(state, 'timm')


def test_convert__openai_clip__is_an_error() -> None:
    state = {key: t for key, t in CORE.items() if not key.startswith('attn_pool')}
    with pytest.raises(CheckpointError, match='no attention pooling'):
        convert_state_dict(state, 'timm')


def test_convert__unknown_layout__is_an_error() -> None:
    with pytest.raises(ValueError, match="'meta', 'timm' or 'ours', got 'onnx'"):
        convert_state_dict(CORE, 'onnx')


@pytest.mark.parametrize('key', without(OURS, 'cls_token'))
def test_check_complete__any_tensor_absent__is_named(key) -> None:
    with pytest.raises(CheckpointError, match=rf'incomplete.*{key}'):
        check_complete(without(OURS, key))


def test_check_complete__parts_absent_as_a_whole__are_fine() -> None:
    check_complete(OURS)
    check_complete(
        {k: t for k, t in OURS.items() if not k.startswith(('norm.', 'attn_p', 'head'))}
    )
