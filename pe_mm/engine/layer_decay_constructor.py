"""Learning rates that decay from the heads down to the embedding of an encoder."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from .encoder_depth import find_encoders, named_parameters, parameter_depths
from .paramwise_options import (
    changes_weight_decay,
    check_paramwise_cfg,
    find_custom_key,
    is_number,
    weight_decay_mult,
)


@dataclass(frozen=True)
class _Place:
    """What an encoder says of a parameter."""

    layer: str
    below_heads: int
    decays: bool


_HEADS = _Place('heads', 0, True)


@dataclass(frozen=True)
class _Member:
    """A trainable parameter with its share of the learning rate, its weight decay."""

    name: str
    parameter: nn.Parameter
    place: _Place
    factor: float
    weight_decay: float | None


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Lower the learning rate by a constant factor with every layer below the heads.

    Layer-wise decay keeps what the lower layers of a pretrained encoder know (Clark et
    al., ELECTRA, 2020; Bao et al., BEiT, 2021). The encoders of the model say how deep
    each of their parameters lies, see ``find_encoders``; everything outside of them,
    necks and heads, trains at the optimizer's ``lr``. With decay 0.9 and 50 blocks the
    last block has 0.9 of it, the first 0.9^50, the embedding 0.9^51.

    **Everything gets the optimizer's weight decay**, norms, biases and position
    embeddings too, as with mmengine's default constructor and in Meta's detectors. The
    habit of timm, BEiT and MAE is ``norm_decay_mult=0, bias_decay_mult=0,
    flat_decay_mult=0, encoder_no_weight_decay=True``.

    Parameters of equal learning rate and weight decay share a group. Frozen parameters
    are left out, shared ones taken once (in the encoder's layer, if one has a share).
    Schedulers scale each group's own learning rate; for a cosine take
    ``eta_min_ratio``, since ``eta_min`` is absolute and would lift the lowest layers.

    Fields of ``paramwise_cfg``:

    - ``layer_decay_rate``: The factor per layer, in (0, 1]. Required.
    - ``custom_keys``: Settings by parts of names (without what DDP, FSDP or
      ``torch.compile`` put into them), ``{part: dict(lr_mult=1.0, decay_mult=1.0)}``.
      The longest part that occurs in a parameter's name counts. ``lr_mult`` multiplies
      the layer's factor; the fields below do not apply to these parameters.
    - ``norm_decay_mult``: Factor of the weight decay of normalisation layers.
    - ``bias_decay_mult``: The same of other biases.
    - ``flat_decay_mult``: The same of other parameters of one dimension, and of all
      not called weight that have one axis of more than one entry: scales (C, 1, 1),
      tokens (1, 1, C).
    - ``encoder_no_weight_decay``: True for no weight decay on what an encoder's
      ``no_weight_decay()`` names, such as its position embedding.

    Args:
        optim_wrapper_cfg: mmengine's config of the wrapper; its ``optimizer`` needs
            ``lr``, and ``weight_decay`` if a field above changes it.
        paramwise_cfg: The fields above.

    Raises:
        ValueError: A field is unknown, missing or out of range.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer wrapper of a model, and log its groups.

        Raises:
            ValueError: No encoder of the model knows its depth, or some parameters
                cannot be told apart.
        """
        self._check_sharding(model)
        wrapper = super().__call__(model)
        grouped = {
            id(parameter)
            for group in wrapper.optimizer.param_groups
            for parameter in group['params']
        }
        left_out = [
            name
            for name, _, parameter in named_parameters(model)
            if parameter.requires_grad and id(parameter) not in grouped
        ]
        if left_out:
            raise ValueError(
                f'{len(left_out)} trainable parameters are in no group, such as '
                f'{left_out[0]!r}: mmengine takes a submodule called "module" for the '
                'whole model; rename it'
            )
        return wrapper

    def add_params(self, params: list[dict[str, Any]], module: nn.Module) -> None:
        """Append the groups of a model, the lowest layer first, and log their table."""
        encoders = find_encoders(module)
        merged: dict[tuple[float, float | None], list[_Member]] = {}
        members = self._members(module, self._places(encoders))
        for member in sorted(members, key=lambda member: -member.place.below_heads):
            lr = self.base_lr * member.factor
            merged.setdefault((lr, member.weight_decay), []).append(member)
        rows = []
        for (lr, weight_decay), group in merged.items():
            settings: dict[str, Any] = {'lr': lr, 'group_name': _layers(group)}
            if weight_decay is not None:
                settings['weight_decay'] = weight_decay
            params.append(
                {'params': [member.parameter for member in group], **settings}
            )
            rows.append(_table_row(group, settings))
        found = ', '.join(
            f'{type(encoder).__name__} {name!r}' for name, encoder in encoders.items()
        )
        print_log(
            f'Layer decay {self.paramwise_cfg["layer_decay_rate"]:g} of {found}, '
            f'{len(rows)} parameter groups:\n{_table(rows)}',
            logger='current',
        )

    def _places(self, encoders: Mapping[str, Any]) -> dict[int, _Place]:
        """Return the place of each encoder parameter, by its id."""
        places: dict[int, _Place] = {}
        for encoder_name, encoder in encoders.items():
            patterns = self._undecayed(encoder)
            depths = parameter_depths(encoder)
            for name, _, parameter in named_parameters(encoder):
                depth = depths[name]
                layer = f'layer {depth.layer}' if depth.below_heads else 'heads'
                if depth.below_heads and len(encoders) > 1:
                    layer = f'{encoder_name} {layer}'
                decays = not any(fnmatch(name, pattern) for pattern in patterns)
                place = _Place(layer, depth.below_heads, decays)
                places.setdefault(id(parameter), place)
        return places

    def _undecayed(self, encoder: Any) -> set[str]:
        if not self.paramwise_cfg.get('encoder_no_weight_decay', False):
            return set()
        if not hasattr(encoder, 'no_weight_decay'):
            raise ValueError(
                f'encoder_no_weight_decay=True, but {type(encoder).__name__} has no '
                'no_weight_decay(); use custom_keys with decay_mult=0'
            )
        return set(encoder.no_weight_decay())

    def _members(self, model: nn.Module, places: Mapping[int, _Place]) -> list[_Member]:
        cfg = self.paramwise_cfg
        custom_keys = cfg.get('custom_keys', {})
        idle = set(custom_keys)
        members = []
        for name, module, parameter in named_parameters(model):
            idle -= {key for key in idle if key in name}
            if not parameter.requires_grad:
                continue
            place = places.get(id(parameter), _HEADS)
            factor = cfg['layer_decay_rate'] ** place.below_heads
            key = find_custom_key(cfg, name)
            if key is not None:
                factor *= custom_keys[key].get('lr_mult', 1.0)
                decay_mult = custom_keys[key].get('decay_mult', 1.0)
            elif place.decays:
                decay_mult = weight_decay_mult(cfg, name, module, parameter)
            else:
                decay_mult = 0.0
            weight_decay = None if self.base_wd is None else self.base_wd * decay_mult
            members.append(_Member(name, parameter, place, factor, weight_decay))
        if idle:
            print_log(
                f'custom_keys {sorted(idle)} occur in no name of a parameter',
                logger='current',
                level=logging.WARNING,
            )
        return members

    def _check_sharding(self, model: nn.Module) -> None:
        paths = [path for path, _ in model.named_parameters()]
        if any(path.rpartition('.')[2] == '_flat_param' for path in paths):
            raise ValueError(
                'FSDP has merged the parameters of different layers; wrap the model '
                'with use_orig_params=True'
            )
        if self.paramwise_cfg.get('flat_decay_mult') is not None and any(
            '_fsdp_wrapped_module' in path for path in paths
        ):
            raise ValueError(
                'flat_decay_mult needs the shapes of parameters, which FSDP flattens; '
                'use norm_decay_mult, bias_decay_mult and custom_keys'
            )

    def _validate_cfg(self) -> None:
        check_paramwise_cfg(self.paramwise_cfg)
        if not is_number(self.base_lr):
            raise ValueError(
                'layer decay needs the learning rate of the heads: '
                f'optimizer=dict(lr=...); got {self.base_lr!r}'
            )
        if self.base_wd is None and changes_weight_decay(self.paramwise_cfg):
            raise ValueError(
                'paramwise_cfg changes the weight decay, so it must be given: '
                'optimizer=dict(weight_decay=...)'
            )


def _layers(group: Sequence[_Member]) -> str:
    layers = list(dict.fromkeys(member.place.layer for member in group))
    return layers[0] if len(layers) == 1 else f'{layers[0]} .. {layers[-1]}'


def _table_row(group: Sequence[_Member], settings: Mapping[str, Any]) -> list[str]:
    return [
        settings['group_name'],
        f'{group[0].factor:.4g}',
        f'{settings["lr"]:.4g}',
        f'{settings["weight_decay"]:.4g}' if 'weight_decay' in settings else 'default',
        f'{len(group)}',
        f'{sum(member.parameter.numel() for member in group):,}',
        group[0].name,
    ]


def _table(rows: Sequence[Sequence[str]]) -> str:
    header = ('layers', 'factor', 'lr', 'decay', 'tensors', 'parameters', 'such as')
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return '\n'.join('  '.join(map(str.ljust, line, widths)).rstrip() for line in lines)
