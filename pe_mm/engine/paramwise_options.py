"""The fields of a layer-decay ``paramwise_cfg``: their limits and their meaning."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm, _InstanceNorm
from torch import nn

_DECAY_RULES = ('norm_decay_mult', 'bias_decay_mult', 'flat_decay_mult')
_OPTIONS = (
    'layer_decay_rate',
    'custom_keys',
    *_DECAY_RULES,
    'encoder_no_weight_decay',
)
_CUSTOM_OPTIONS = ('lr_mult', 'decay_mult')
_NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
# Norms that derive from none of these, but not NormedLinear.
_NORM_NAME = re.compile(r'Norm(\dd)?$')


def check_paramwise_cfg(cfg: Mapping[str, Any]) -> None:
    """Check the fields that ``LayerDecayOptimWrapperConstructor`` lists.

    Raises:
        ValueError: A field is unknown, missing or out of range.
    """
    _check_options('paramwise_cfg', cfg, _OPTIONS)
    rate: Any = cfg.get('layer_decay_rate')
    if not is_number(rate) or not 0 < rate <= 1:
        raise ValueError(
            f'paramwise_cfg needs layer_decay_rate in (0, 1], such as 0.9; got {rate!r}'
        )
    custom_keys = cfg.get('custom_keys', {})
    if not isinstance(custom_keys, Mapping):
        raise ValueError(
            'custom_keys must be a dict of parts of parameter names, such as '
            f"{{'neck': dict(lr_mult=0.1)}}; got {custom_keys!r}"
        )
    for key, custom in custom_keys.items():
        _check_options(f'custom_keys[{key!r}]', custom, _CUSTOM_OPTIONS)
        for option, value in custom.items():
            _check_mult(f'{option} of custom_keys[{key!r}]', value)
    for rule in _DECAY_RULES:
        if cfg.get(rule) is not None:
            _check_mult(rule, cfg[rule])
    undecayed = cfg.get('encoder_no_weight_decay', False)
    if not isinstance(undecayed, bool):
        raise ValueError(
            f'encoder_no_weight_decay must be True or False, got {undecayed!r}'
        )


def changes_weight_decay(cfg: Mapping[str, Any]) -> bool:
    """Return whether a field gives some parameters a weight decay of their own."""
    return (
        any(cfg.get(rule) is not None for rule in _DECAY_RULES)
        or cfg.get('encoder_no_weight_decay', False)
        or any('decay_mult' in custom for custom in cfg.get('custom_keys', {}).values())
    )


def find_custom_key(cfg: Mapping[str, Any], name: str) -> str | None:
    """Return the custom key that counts for a parameter, None if no key is in its name.

    As in mmengine it is the longest, of equally long ones the first by alphabet.
    """
    keys = [key for key in cfg.get('custom_keys', {}) if key in name]
    return min(keys, key=lambda key: (-len(key), key), default=None)


def weight_decay_mult(
    cfg: Mapping[str, Any], name: str, module: nn.Module, parameter: nn.Parameter
) -> float:
    """Return the factor of a parameter's weight decay by the rules for its kind.

    The first that is given counts, in mmengine's order: norm, bias, flat. More than
    there, biases are all parameters whose names end so (``in_proj_bias``), and flat are
    scales and tokens of several dimensions too.

    Args:
        cfg: A checked ``paramwise_cfg``.
        name: The parameter's name; only its last part is read.
        module: The module that has it.
        parameter: The parameter, in its own shape.
    """
    leaf = name.rpartition('.')[2]
    long_axes = sum(size > 1 for size in parameter.shape)
    fits = {
        'norm_decay_mult': isinstance(module, _NORMS)
        or _NORM_NAME.search(type(module).__name__),
        'bias_decay_mult': leaf.endswith('bias'),
        'flat_decay_mult': parameter.ndim == 1 or (leaf != 'weight' and long_axes <= 1),
    }
    mults = (cfg.get(rule) for rule in _DECAY_RULES if fits[rule])
    return next((mult for mult in mults if mult is not None), 1.0)


def is_number(value: Any) -> bool:
    """Return whether this is a finite int or float."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _check_options(where: str, given: Any, allowed: Sequence[str]) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(
            f'{where} must be a dict with some of {", ".join(allowed)}; got {given!r}'
        )
    for option in given:
        if option not in allowed:
            near = difflib.get_close_matches(str(option), allowed, n=2)
            hint = f'did you mean {" or ".join(near)}? ' if near else ''
            raise ValueError(
                f'{where} has no option {option!r}; {hint}Allowed: {", ".join(allowed)}'
            )


def _check_mult(name: str, value: Any) -> None:
    if not is_number(value) or value < 0:
        raise ValueError(f'{name} must be a number >= 0, got {value!r}')
