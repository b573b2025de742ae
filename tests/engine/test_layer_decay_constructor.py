"""Learning rates fall from the heads to the embedding, exactly as configured."""

import re

import pytest
import timm
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from pe_mm import PerceptionEncoder
from pe_mm.engine import layer_decay_constructor

VARIANT = dict(depth=3, width=8, heads=1, patch_size=8, image_size=16, layer_scale=0.1)


class Model(nn.Module):
    """Modules under names of the caller's choice."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


def detector(depth=3, **kwargs):
    """Return an encoder with a neck and a head."""
    return Model(
        backbone=PerceptionEncoder(
            VARIANT | {'depth': depth, 'final_norm': True}, **kwargs
        ),
        neck=nn.Conv2d(8, 4, 1),
        rpn_head=nn.Conv2d(4, 1, 1),
    )


def build(model, lr=1.0, weight_decay=0.1, optimizer='AdamW', **paramwise_cfg):
    """Build an optimizer wrapper as mmengine does from a config."""
    cfg = dict(
        type='OptimWrapper',
        constructor='pe_mm.LayerDecayOptimWrapperConstructor',
        paramwise_cfg={'layer_decay_rate': 0.5} | paramwise_cfg,
        optimizer=dict(type=optimizer, lr=lr, weight_decay=weight_decay),
    )
    return build_optim_wrapper(model, cfg)


def settings(model, wrapper, key):
    """Return one setting of each trainable parameter, by its name."""
    groups = wrapper.optimizer.param_groups
    by_id = {id(p): group[key] for group in groups for p in group['params']}
    assert len(by_id) == sum(len(group['params']) for group in groups)
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert by_id.keys() == {id(p) for p in named.values()}
    return {name: by_id[id(p)] for name, p in named.items()}


def lrs(model, wrapper):
    return settings(model, wrapper, 'lr')


def decays(model, wrapper):
    return settings(model, wrapper, 'weight_decay')


@pytest.fixture
def logged(monkeypatch):
    """Collect what the constructor logs."""
    messages = []
    monkeypatch.setattr(
        layer_decay_constructor, 'print_log', lambda text, **_: messages.append(text)
    )
    return messages


# --- Factors


def test_factors__fifty_blocks__are_those_of_metas_detectors():
    model = detector(depth=50)
    wrapper = build(model, lr=5e-5, layer_decay_rate=0.9)
    found = lrs(model, wrapper)

    embedding = re.compile(r'backbone\.(pos_embed|cls_token|patch_embed|norm_pre)')
    expected = {}
    for name in found:
        block = re.match(r'backbone\.blocks\.(\d+)\.', name)
        layer = int(block[1]) + 1 if block else 0 if embedding.match(name) else 51
        expected[name] = 5e-5 * 0.9 ** (51 - layer)
    assert found == expected
    share = {name: lr / 5e-5 for name, lr in found.items()}
    assert share['backbone.pos_embed'] == pytest.approx(0.00464, abs=5e-6)
    assert share['backbone.blocks.0.gamma_1'] == pytest.approx(0.00515, abs=5e-6)
    assert share['backbone.blocks.49.norm1.bias'] == pytest.approx(0.9)
    assert len(wrapper.optimizer.param_groups) == 52


def test_groups__fifty_blocks__go_from_the_embedding_to_the_heads():
    groups = build(detector(depth=50), layer_decay_rate=0.9).optimizer.param_groups
    names = [group['group_name'] for group in groups]
    assert names == [f'layer {i}' for i in range(51)] + ['heads']
    rates = [group['lr'] for group in groups]
    assert rates == sorted(set(rates))


@pytest.mark.parametrize('rate', [0.7, 0.9])
def test_factors__necks_and_heads__are_exactly_one(rate):
    model = detector()
    found = lrs(model, build(model, lr=3e-4, layer_decay_rate=rate))
    outside = {name: lr for name, lr in found.items() if 'backbone' not in name}
    assert outside == {
        f'{part}.{leaf}': 3e-4
        for part in ('neck', 'rpn_head')
        for leaf in ('weight', 'bias')
    }


def test_factors__truncated_encoder__start_at_its_last_block():
    model = detector(depth=12, out_indices=(3,))
    found = lrs(model, build(model))
    assert found['backbone.blocks.3.mlp.fc1.weight'] == 0.5
    assert found['backbone.blocks.0.mlp.fc1.weight'] == 0.5**4
    assert found['backbone.pos_embed'] == 0.5**5


def test_factors__encoders_of_different_depth__count_from_the_heads_of_each():
    model = Model(a=detector(depth=1), b=detector(depth=3))
    wrapper = build(model)
    found = lrs(model, wrapper)
    assert found['a.backbone.pos_embed'] == found['b.backbone.blocks.1.gamma_1'] == 0.25
    assert found['b.backbone.pos_embed'] == 0.5**4
    names = [group['group_name'] for group in wrapper.optimizer.param_groups]
    assert names == [
        'b.backbone layer 0',
        'b.backbone layer 1',
        'a.backbone layer 0 .. b.backbone layer 2',
        'a.backbone layer 1 .. b.backbone layer 3',
        'heads',
    ]


def test_factors__rate_of_one__are_one_in_a_single_group():
    model = detector()
    wrapper = build(model, layer_decay_rate=1)
    (group,) = wrapper.optimizer.param_groups
    assert group['lr'] == 1
    assert group['group_name'] == 'layer 0 .. heads'


def test_factors__timm_encoder__fall_below_its_classifier():
    vit = timm.create_model(
        'vit_small_patch16_224', depth=2, embed_dim=8, num_heads=1, num_classes=3
    )
    model = Model(backbone=Model(timm_model=vit), decode_head=nn.Linear(8, 2))
    found = lrs(model, build(model))
    prefix = 'backbone.timm_model'
    assert found[f'{prefix}.cls_token'] == 0.125
    assert found[f'{prefix}.blocks.0.attn.qkv.weight'] == 0.25
    assert found[f'{prefix}.blocks.1.attn.qkv.weight'] == 0.5
    assert found[f'{prefix}.head.weight'] == found['decode_head.weight'] == 1


# --- What is trained


def test_groups__frozen_blocks__are_left_out_and_change_no_other_rate():
    model, whole = detector(freeze=2), detector()
    found, unfrozen = lrs(model, build(model)), lrs(whole, build(whole))
    kept = {
        name: lr
        for name, lr in unfrozen.items()
        if 'backbone' not in name or 'blocks.2' in name
    }
    assert found == kept


def test_groups__frozen_encoder__are_the_heads():
    model = detector(freeze=True)
    (group,) = build(model).optimizer.param_groups
    assert group['group_name'] == 'heads'
    assert len(group['params']) == 4


def test_groups__shared_parameter__is_in_the_encoders_layer_once():
    model = Model(head=nn.Linear(8, 24), backbone=PerceptionEncoder(VARIANT))
    model.head.weight = model.backbone.blocks[0].attn.qkv.weight
    assert lrs(model, build(model))['head.weight'] == 0.125


def test_groups__parameter_of_two_encoders__is_in_its_layer_of_the_first():
    model = Model(a=PerceptionEncoder(VARIANT), b=PerceptionEncoder(VARIANT))
    model.b.blocks[2].gamma_1 = model.a.blocks[0].gamma_1
    assert lrs(model, build(model))['a.blocks.0.gamma_1'] == 0.125


def test_groups__final_norm__is_with_the_heads():
    model = detector(apply_final_norm=True)
    groups = build(model).optimizer.param_groups
    assert [group['group_name'] for group in groups][-2:] == ['layer 3', 'heads']
    assert lrs(model, build(model))['backbone.norm.weight'] == 1


def test_build__submodule_called_module__is_refused():
    model = Model(module=PerceptionEncoder(VARIANT), head=nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"2 trainable .* 'head.weight': .* rename"):
        build(model)


def test_build__model_without_encoder__says_what_was_looked_for():
    with pytest.raises(ValueError, match='no encoder in Linear .*get_layer_depth'):
        build(nn.Linear(2, 2))


# --- Custom keys


def test_custom_keys__lr_mult__multiplies_the_layers_factor():
    model = detector()
    custom_keys = {
        'blocks': dict(lr_mult=10.0),
        'blocks.1.': dict(lr_mult=0.1, decay_mult=2.0),
        'neck': dict(decay_mult=0.0),
    }
    wrapper = build(model, custom_keys=custom_keys)
    found, decay = lrs(model, wrapper), decays(model, wrapper)
    assert found['backbone.blocks.0.gamma_1'] == 10 * 0.125
    assert found['backbone.blocks.1.gamma_1'] == 0.1 * 0.25
    assert found['backbone.pos_embed'] == 0.0625
    assert found['neck.weight'] == 1
    assert decay['backbone.blocks.0.gamma_1'] == decay['rpn_head.weight'] == 0.1
    assert decay['backbone.blocks.1.gamma_1'] == 0.2
    assert decay['neck.weight'] == decay['neck.bias'] == 0


def test_custom_keys__matching_parameter__is_under_no_other_rule():
    model = detector()
    decay = decays(
        model,
        build(
            model,
            custom_keys={'backbone.pos': dict(lr_mult=2.0), 'norm1': {}},
            norm_decay_mult=0.0,
            encoder_no_weight_decay=True,
        ),
    )
    assert decay['backbone.pos_embed'] == 0.1
    assert decay['backbone.cls_token'] == 0
    assert decay['backbone.blocks.0.norm1.weight'] == 0.1
    assert decay['backbone.blocks.0.norm2.weight'] == 0


def test_custom_keys__in_no_name__are_warned_of(logged):
    custom_keys = {'bakcbone': dict(lr_mult=0.1), 'patch_embed': dict(lr_mult=0.1)}
    build(detector(freeze=True), custom_keys=custom_keys)
    assert logged[0] == "custom_keys ['bakcbone'] occur in no name of a parameter"
    assert len(logged) == 2


# --- Weight decay


@pytest.mark.parametrize('path', ['backbone', 'student'])
def test_weight_decay__default__is_on_everything(path):
    model = Model(**{path: detector()})
    wrapper = build(model)
    assert set(decays(model, wrapper).values()) == {0.1}


@pytest.mark.parametrize('path', ['detector', 'student'])
def test_weight_decay__encoder_no_weight_decay__leaves_out_what_it_names(path):
    model = Model(**{path: detector()})
    found = decays(model, build(model, encoder_no_weight_decay=True))
    undecayed = {name for name, decay in found.items() if decay == 0}
    assert undecayed == {f'{path}.backbone.{n}' for n in ('pos_embed', 'cls_token')}
    assert set(found.values()) == {0, 0.1}


def test_weight_decay__not_given__is_left_to_the_optimizer():
    model = detector()
    cfg = dict(
        constructor='pe_mm.LayerDecayOptimWrapperConstructor',
        paramwise_cfg=dict(layer_decay_rate=0.5),
        optimizer=dict(type='AdamW', lr=1.0),
    )
    default = torch.optim.AdamW([torch.ones(1)]).defaults['weight_decay']
    assert set(decays(model, build_optim_wrapper(model, cfg)).values()) == {default}


def test_weight_decay__zero__needs_no_groups_of_its_own():
    wrapper = build(detector(), weight_decay=0.0, norm_decay_mult=0.0)
    assert len(wrapper.optimizer.param_groups) == 5


def test_groups__layer_with_and_without_decay__are_two():
    wrapper = build(detector(depth=1), norm_decay_mult=0.0)
    found = [
        (group['group_name'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
    ]
    assert found == [
        ('layer 0', 0.1),
        ('layer 0', 0.0),
        ('layer 1', 0.1),
        ('layer 1', 0.0),
        ('heads', 0.1),
    ]


# --- The table


def test_table__detector__lists_every_group(logged):
    build(detector(depth=1), lr=2e-4, norm_decay_mult=0.0)
    (table,) = logged
    title, header, *rows = table.splitlines()
    of = "Layer decay 0.5 of PerceptionEncoder 'backbone', 5 parameter groups:"
    assert title == of
    columns = ['layers', 'factor', 'lr', 'decay', 'tensors', 'parameters', 'such as']
    assert re.split(r'\s{2,}', header) == columns
    # Embedding: 4 tokens and a class token of width 8, 3 x 8 x 8 patches, a norm.
    assert [re.split(r'\s{2,}', row) for row in rows] == [
        ['layer 0', '0.25', '5e-05', '0.1', '3', '1,584', 'backbone.pos_embed'],
        ['layer 0', '0.25', '5e-05', '0', '2', '16', 'backbone.norm_pre.weight'],
        ['layer 1', '0.5', '0.0001', '0.1', '10', '856', 'backbone.blocks.0.gamma_1'],
        ['layer 1', '0.5', '0.0001', '0', '4', '32', 'backbone.blocks.0.norm1.weight'],
        ['heads', '1', '0.0002', '0.1', '4', '41', 'neck.weight'],
    ]


# --- Bad input


def test_build__no_paramwise_cfg__asks_for_the_rate():
    cfg = dict(
        constructor='pe_mm.LayerDecayOptimWrapperConstructor',
        optimizer=dict(type='AdamW', lr=1.0),
    )
    with pytest.raises(ValueError, match='needs layer_decay_rate .*got None'):
        build_optim_wrapper(detector(), cfg)


def test_build__unknown_option__is_refused():
    with pytest.raises(ValueError, match='did you mean layer_decay_rate'):
        build(detector(), decay_rate=0.9)


@pytest.mark.parametrize(
    'option',
    [
        {'norm_decay_mult': 0},
        {'encoder_no_weight_decay': True},
        {'custom_keys': {'neck': {'decay_mult': 0}}},
    ],
)
def test_build__weight_decay_changed_but_not_given__is_refused(option):
    with pytest.raises(ValueError, match=r'optimizer=dict\(weight_decay='):
        build(detector(), weight_decay=None, **option)


def test_build__no_learning_rate__is_refused():
    with pytest.raises(ValueError, match=r'optimizer=dict\(lr=\.\.\.\); got None'):
        build(detector(), lr=None)


def test_build__encoder_that_names_nothing_undecayed__says_what_to_use():
    encoder = type('Encoder', (nn.Linear,), {'get_layer_depth': _depth})(1, 1)
    with pytest.raises(ValueError, match='Encoder has no no_weight_decay.*custom_keys'):
        build(encoder, encoder_no_weight_decay=True)


def _depth(self, param_name, prefix=''):
    return 0, 2
