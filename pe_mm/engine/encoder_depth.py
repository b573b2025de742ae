"""How deep in its encoder every parameter of a model lies."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from mmengine.model import is_model_wrapper
from timm.models import group_parameters
from torch import nn

# What torch.compile, FSDP and activation checkpointing put into a parameter's name.
_WRAPPED = ('_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module')
# timm's patterns match no such name, so it gets the layer of what is above the encoder.
_ABOVE = ' '


@dataclass(frozen=True)
class Depth:
    """The place of a parameter in an encoder.

    Attributes:
        layer: 0 for the embedding, then counting up.
        below_heads: Layers up to the heads', which are at 0.
    """

    layer: int
    below_heads: int


def named_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module once, by the name that it has without wrappers.

    A wrapper (DDP, FSDP, ``torch.compile``, activation checkpointing) and what it wraps
    have the same name.
    """
    names: dict[str, str] = {}
    modules = dict(model.named_modules())
    for path, module in modules.items():
        parent, _, part = path.rpartition('.')
        wrapped = part in _WRAPPED or (
            part == 'module' and is_model_wrapper(modules[parent])
        )
        above = names.get(parent, '')
        names[path] = above if wrapped else f'{above}.{part}'.lstrip('.')
        yield names[path], module


def named_parameters(
    model: nn.Module,
) -> Iterator[tuple[str, nn.Module, nn.Parameter]]:
    """Yield every parameter once: its name without wrappers, its module, itself."""
    seen = set()
    for prefix, module in named_modules(model):
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield f'{prefix}.{name}'.lstrip('.'), module, parameter


def find_encoders(model: nn.Module) -> dict[str, Any]:
    """Return the encoders of a model by their names, wherever they are.

    An encoder is a module with ``get_layer_depth(param_name, prefix='')``, as
    PerceptionEncoder and mmpretrain's backbones have it, or with timm's
    ``group_matcher``. An encoder inside another belongs to the outer one. The
    ``get_layer_depth`` of mmpretrain's classifiers, without ``prefix``, only asks their
    backbone, and so do we.

    Raises:
        ValueError: There is none.
    """
    encoders = {}
    inside: set[int] = set()
    for name, module in named_modules(model):
        if id(module) not in inside and (_knows_depth(module) or _is_timm(module)):
            encoders[name] = module
            inside.update(id(part) for part in module.modules())
    if not encoders:
        raise ValueError(
            f'there is no encoder in {type(model).__name__} that tells the depth of '
            'its parameters: no module has get_layer_depth(param_name, prefix) '
            "(PerceptionEncoder, mmpretrain's backbones) or timm's group_matcher (lost "
            'in timm models built with features_only=True, except transformers). Use '
            "such an encoder, or mmengine's default constructor without layer decay"
        )
    return encoders


def parameter_depths(encoder: Any) -> dict[str, Depth]:
    """Return the depth of each of an encoder's parameters, by name without wrappers.

    timm counts the heads as a layer only where it finds parameters of one. Here every
    layer of an encoder without its classifier keeps the depth that it has with it.

    Raises:
        ValueError: ``get_layer_depth`` gives a layer that is not below its number of
            layers.
    """
    names = [name for name, _, _ in named_parameters(encoder)]
    if _knows_depth(encoder):
        pairs = {name: encoder.get_layer_depth(name, prefix='') for name in names}
    else:
        pairs = _timm_depths(names, encoder)
    for name, (layer, num_layers) in pairs.items():
        if not 0 <= layer < num_layers:
            raise ValueError(
                f'get_layer_depth of {type(encoder).__name__} puts {name!r} in layer '
                f'{layer} of {num_layers}; it must return (layer, number of layers) '
                'with 0 <= layer < number of layers'
            )
    return {
        name: Depth(layer, num_layers - 1 - layer)
        for name, (layer, num_layers) in pairs.items()
    }


# Looked up on the type: compiled and FSDP modules pass on attributes of what they wrap.
def _knows_depth(module: nn.Module) -> bool:
    method = getattr(type(module), 'get_layer_depth', None)
    return method is not None and 'prefix' in inspect.signature(method).parameters


def _is_timm(module: nn.Module) -> bool:
    return hasattr(type(module), 'group_matcher')


def _timm_depths(names: list[str], encoder: Any) -> dict[str, tuple[int, int]]:
    # All that timm asks of the module are its names, which wrappers may have changed.
    listing = [(name, None) for name in [*names, _ABOVE]]
    named: Any = SimpleNamespace(named_parameters=lambda: listing)
    matcher = encoder.group_matcher(coarse=False)
    layers = group_parameters(named, matcher, reverse=True)
    return {name: (layers[name], layers[_ABOVE] + 1) for name in names}
