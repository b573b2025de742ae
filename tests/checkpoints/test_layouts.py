"""Encoders are found in any container, under any prefix, in both layouts."""

import re
from collections import OrderedDict

import pytest
import torch

from helpers import golden
from pe_mm.checkpoints import CheckpointError, detect_format
from pe_mm.checkpoints.layouts import find_encoder, unwrap
from pe_mm.checkpoints.rename_rules import meta_to_ours

META = golden('spatial_nocls_layerscale')[1]
OURS = meta_to_ours(META).tensors
LAYOUTS = {'meta': META, 'timm': OURS}


def under(prefix, state):
    return {prefix + key: tensor for key, tensor in state.items()}


def names(*keys):
    return {key: torch.zeros(1) for key in keys}


TEXT_TOWER = names(
    'positional_embedding',
    'text_projection',
    'logit_scale',
    'token_embedding.weight',
    'transformer.resblocks.0.ln_1.weight',
    'transformer.resblocks.0.attn.in_proj_weight',
    'ln_final.weight',
)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize(
    'prefix',
    [
        '',
        'visual.',
        'module.visual.',
        'visual.trunk.',
        'backbone.',
        'module.backbone.',
        'model.',
        'encoder.',
        'ema_model.module.backbone.',
    ],
)
def test_find_encoder__any_prefix__gives_plain_names(layout, prefix) -> None:
    found = find_encoder(under(prefix, LAYOUTS[layout]))
    assert found.prefix == prefix
    assert found.layout == layout
    assert list(found.tensors) == list(LAYOUTS[layout])
    assert found.outside == {}


def test_find_encoder__compiled_and_wrapped_names__are_cleaned() -> None:
    wrapped = {
        '_orig_mod.module.'
        + re.sub(r'^(blocks\.\d+)\.', r'\1._checkpoint_wrapped_module.', key): tensor
        for key, tensor in OURS.items()
    }
    found = find_encoder(wrapped)
    assert found.prefix == 'module.'
    assert set(found.tensors) == set(OURS)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda state: {'state_dict': state},
        lambda state: {'weights': state},
        lambda state: {'model': {'state_dict': state}, 'optimizer': {'state': {}}},
        lambda state: {'epoch': 3, 'model_ema': state, 'model': names('old')},
        lambda state: {'meta': {'seed': 1}, 'state_dict': OrderedDict(state)},
        lambda state: {'net': state, 'step': 7},
    ],
)
def test_unwrap__containers__gives_the_state_dict(wrap) -> None:
    assert dict(unwrap(wrap(META))) == META


def test_unwrap__mmengine_checkpoint_with_ema__takes_the_state_dict() -> None:
    # mmengine's EMAHook saves the averaged weights as state_dict, and swaps the others.
    checkpoint = {'state_dict': META, 'ema_state_dict': names('module.x'), 'meta': {}}
    assert unwrap(checkpoint) is META


def test_unwrap__dict_that_holds_itself__ends() -> None:
    weights = dict(META)
    weights['model'] = weights
    assert unwrap(weights) is weights
    around = {'state_dict': {}, 'net': weights}
    weights['model'] = around
    assert unwrap(around) is weights


def test_unwrap__nested_deeper_than_the_stack__is_an_error() -> None:
    checkpoint = META
    for _ in range(20):
        checkpoint = {'model': checkpoint}
    assert unwrap(checkpoint) is META
    for _ in range(5000):
        checkpoint = {'model': checkpoint}
    with pytest.raises(CheckpointError, match='nested more than 20 deep'):
        unwrap(checkpoint)


def test_unwrap__numbers_as_keys__is_an_error_naming_them() -> None:
    with pytest.raises(CheckpointError, match='several state dicts, 0, 1; pass one'):
        unwrap({0: names('a'), 1: names('b')})


def test_unwrap__several_unknown_containers__is_an_error_naming_them() -> None:
    with pytest.raises(CheckpointError, match='several state dicts, student, teacher'):
        unwrap({'student': META, 'teacher': META})


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        ({}, 'empty dict'),
        ({'state_dict': {}, 'epoch': 1}, "no weights.*'state_dict', 'epoch'"),
        ({'a': 1, 'b': 'text'}, 'none of them a tensor'),
    ],
)
def test_unwrap__no_tensors__is_an_error(checkpoint, message) -> None:
    with pytest.raises(CheckpointError, match=message):
        unwrap(checkpoint)


def test_find_encoder__whole_clip__lists_the_text_tower() -> None:
    found = find_encoder(under('visual.', META) | TEXT_TOWER)
    assert set(found.tensors) == set(META)
    assert found.outside == dict.fromkeys(TEXT_TOWER, 'text tower')


def test_find_encoder__detector__lists_neck_and_heads() -> None:
    detector = under('backbone.', OURS) | names('neck.convs.0.weight', 'rpn_head.bias')
    found = find_encoder(detector)
    assert found.outside == {
        'neck.convs.0.weight': "outside 'backbone.'",
        'rpn_head.bias': "outside 'backbone.'",
    }


def test_find_encoder__entries_that_are_no_tensors__are_listed() -> None:
    assert find_encoder(META | {'epoch': 3}).outside == {'epoch': 'not a tensor'}


def test_find_encoder__two_encoders__needs_a_prefix() -> None:
    both = under('student.', OURS) | under('teacher.', META)
    with pytest.raises(CheckpointError, match=r"several encoders.*'student\.'"):
        find_encoder(both)
    for prefix in ('teacher', 'teacher.'):
        found = find_encoder(both, prefix)
        assert found.layout == 'meta'
        assert len(found.outside) == len(OURS)


def test_find_encoder__prefix_that_is_not_there__tells_what_is() -> None:
    with pytest.raises(CheckpointError, match=r"under the prefix 'neck'.*backbone"):
        find_encoder(under('backbone.', OURS), 'neck')


@pytest.mark.parametrize(
    ('keys', 'message'),
    [
        (('conv1.weight', 'layer1.0.conv1.weight', 'fc.weight'), 'a ResNet'),
        (('cls_token', 'blocks.0.attn.qkv.weight', 'blocks.0.ls1.gamma'), 'DINOv2'),
        (('pos_embed', 'blocks.0.attn.qkv.weight'), 'another vision transformer'),
        (('vision_model.encoder.layers.0.mlp.fc1.weight',), 'transformers'),
        (('image_encoder.blocks.0.attn.qkv.weight',), 'Segment Anything'),
        (('linear.weight', 'linear.bias'), r'its names are linear\.weight'),
    ],
)
def test_find_encoder__another_model__says_which(keys, message) -> None:
    with pytest.raises(CheckpointError, match=f'no Perception Encoder.*{message}'):
        find_encoder(names(*keys))


def test_find_encoder__text_tower_alone__says_so() -> None:
    with pytest.raises(CheckpointError, match='text tower only'):
        find_encoder(TEXT_TOWER)


def test_find_encoder__one_tensor_under_two_names__is_an_error() -> None:
    with pytest.raises(CheckpointError, match=r"'conv1\.weight' twice"):
        find_encoder(META | {'_orig_mod.conv1.weight': META['conv1.weight']})


@pytest.mark.parametrize(
    ('make', 'kind'),
    [
        (lambda: torch.eye(64).to_sparse(), 'sparse'),
        (lambda: torch.eye(64).to_sparse_csr(), 'sparse'),
        (lambda: torch.quantize_per_tensor(torch.eye(64), 1, 0, torch.qint8), 'quant'),
        (lambda: torch.nested.nested_tensor([torch.zeros(2)] * 2), 'nested'),
        (torch.nn.UninitializedParameter, 'uninitialised'),
    ],
)
@pytest.mark.filterwarnings('ignore::UserWarning')
def test_find_encoder__tensor_that_is_not_dense__is_an_error(make, kind) -> None:
    with pytest.raises(CheckpointError, match=rf"'x\.ln_pre\.bias' .* \({kind}"):
        find_encoder(under('x.', META | {'ln_pre.bias': make()}))
    find_encoder(under('visual.', META) | {'logit_scale': make()})


@pytest.mark.parametrize('lost', ['conv1.weight', 'ln_pre.weight'])
def test_find_encoder__one_name_lost__is_still_found(lost) -> None:
    state = {key: tensor for key, tensor in META.items() if key != lost}
    assert find_encoder(state).layout == 'meta'


def test_detect_format__both_layouts__by_their_names() -> None:
    assert detect_format(META) == 'meta'
    assert detect_format({'state_dict': under('backbone.', OURS)}) == 'timm'
