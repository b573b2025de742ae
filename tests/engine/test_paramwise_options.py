"""What may stand in a layer-decay paramwise_cfg, and what it says of a parameter."""

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from pe_mm.engine.paramwise_options import (
    check_paramwise_cfg,
    find_custom_key,
    weight_decay_mult,
)


class Parts(nn.Module):
    """One parameter of every kind that a rule may be for."""

    def __init__(self):
        super().__init__()
        self.layer_norm = nn.LayerNorm(4)
        self.rms_norm = nn.RMSNorm(4)
        self.batch_norm = nn.SyncBatchNorm(4)
        self.channel_norm = MODELS.build(dict(type='pe_mm.LayerNorm2d', num_channels=4))
        self.other_norm = type('OtherNorm2d', (nn.Linear,), {})(4, 4, bias=False)
        self.normed_linear = type('NormedLinear', (nn.Linear,), {})(4, 4)
        self.attn = nn.MultiheadAttention(4, 1)
        self.one_class = nn.Conv2d(4, 1, 1)
        self.layer_scale = nn.Parameter(torch.ones(4, 1, 1))
        self.probe = nn.Parameter(torch.ones(1, 1, 4))
        self.level_embed = nn.Parameter(torch.ones(3, 4))


NORM_BIASES = {'layer_norm.bias', 'batch_norm.bias', 'channel_norm.bias'}
VECTORS = NORM_BIASES | {
    'layer_norm.weight',
    'batch_norm.weight',
    'channel_norm.weight',
    'rms_norm.weight',
}
BIASES = {
    'normed_linear.bias',
    'attn.in_proj_bias',
    'attn.out_proj.bias',
    'one_class.bias',
}


def mults(**rules):
    """Return the factor of each parameter of Parts, by its name."""
    return {
        f'{prefix}.{leaf}'.lstrip('.'): weight_decay_mult(rules, leaf, module, p)
        for prefix, module in Parts().named_modules()
        for leaf, p in module.named_parameters(recurse=False)
    }


@pytest.mark.parametrize(
    'rule, changed',
    [
        ('norm_decay_mult', VECTORS | {'other_norm.weight'}),
        ('bias_decay_mult', BIASES | NORM_BIASES),
        ('flat_decay_mult', VECTORS | BIASES | {'layer_scale', 'probe'}),
    ],
)
def test_weight_decay_mult__rule__changes_its_parameters_and_no_others(rule, changed):
    found = mults(**{rule: 0.5})
    assert found == {name: 0.5 if name in changed else 1.0 for name in found}
    assert changed <= found.keys()


@pytest.mark.parametrize('rules', [{}, {'norm_decay_mult': None}])
def test_weight_decay_mult__no_rule__is_one_for_everything(rules):
    assert set(mults(**rules).values()) == {1.0}


def test_weight_decay_mult__several_rules__apply_in_mmengines_order():
    found = mults(norm_decay_mult=0.2, bias_decay_mult=0.3, flat_decay_mult=0.4)
    assert found['layer_norm.bias'] == found['layer_norm.weight'] == 0.2
    assert found['attn.in_proj_bias'] == 0.3
    assert found['layer_scale'] == found['probe'] == 0.4
    assert found['one_class.weight'] == found['level_embed'] == 1


@pytest.mark.parametrize(
    'name, key',
    [
        ('neck.conv.weight', 'neck.conv'),
        ('neck.norm.weight', 'neck'),
        ('student.neck.conv.bias', 'neck.conv'),
        ('ab.cd', 'ab'),
        ('backbone.pos_embed', None),
    ],
)
def test_custom_key__several_in_a_name__is_the_longest_then_the_first(name, key):
    custom_keys = {'neck': {}, 'neck.conv': {}, 'conv': {}, 'cd': {}, 'ab': {}}
    assert find_custom_key({'custom_keys': custom_keys}, name) == key


@pytest.mark.parametrize('rate', [0, -0.5, 1.1, float('nan'), True, '0.9', None])
def test_check__impossible_rate__is_refused(rate):
    message = rf'layer_decay_rate in \(0, 1\].*got {rate!r}'
    with pytest.raises(ValueError, match=message):
        check_paramwise_cfg({'layer_decay_rate': rate})


@pytest.mark.parametrize(
    'option, message',
    [
        ({'decay_rate': 0.9}, "no option 'decay_rate'; did you mean layer_decay_rate"),
        ({'num_layers': 12}, "no option 'num_layers'; .*Allowed: layer_decay_rate"),
        ({'norm_decay_mul': 0}, 'did you mean norm_decay_mult'),
        ({'custom_keys': {'neck': {'lr_mul': 1}}}, r"keys\['neck'\].*mean lr_mult"),
        ({'custom_keys': {'neck': 0.1}}, r"custom_keys\['neck'\] must be a dict"),
        ({'custom_keys': ['neck']}, r"custom_keys must be a dict.*got \['neck'\]"),
        ({'custom_keys': {'neck': {'lr_mult': -1}}}, "'neck'.* >= 0, got -1"),
        ({'bias_decay_mult': 'none'}, "bias_decay_mult must be .* got 'none'"),
        ({'encoder_no_weight_decay': 0}, 'must be True or False, got 0'),
    ],
)
def test_check__impossible_option__is_refused(option, message):
    with pytest.raises(ValueError, match=message):
        check_paramwise_cfg({'layer_decay_rate': 0.9} | option)


def test_check__everything_given__is_accepted():
    check_paramwise_cfg(
        dict(
            layer_decay_rate=1,
            custom_keys={'neck': dict(lr_mult=0, decay_mult=2.5)},
            norm_decay_mult=0.0,
            bias_decay_mult=None,
            flat_decay_mult=1,
            encoder_no_weight_decay=True,
        )
    )
