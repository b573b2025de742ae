"""The table that names every parameter in Meta's layout and in ours.

Our names and shapes are timm's (``vit_pe_*``), so one table serves three layouts. It is
read in both directions, and a round trip gives back the same bits.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pe_mm.checkpoints.errors import CheckpointError, listing


@dataclass(frozen=True)
class Transform:
    """Reshape one of Meta's tensors into ours, and back, without changing a value.

    Attributes:
        dims: Numbers of dimensions that Meta's tensor may have; None for any.
        to_ours: One of Meta's tensors -> ours, in the order of the rule's names.
        to_meta: The reverse.
    """

    dims: tuple[int, ...] | None
    to_ours: Callable[[Tensor], tuple[Tensor, ...]]
    to_meta: Callable[[Sequence[Tensor]], Tensor]


def _split_query(stacked: Tensor) -> tuple[Tensor, ...]:
    width = stacked.shape[0] // 3
    return stacked[:width], stacked[width:]


def _rows_to_batch(rows: Tensor) -> tuple[Tensor, ...]:
    # Meta's detectors store (1, N, C).
    return (rows[None] if rows.dim() == 2 else rows,)


def _projection_to_linear(projection: Tensor) -> tuple[Tensor, ...]:
    return projection.T, projection.new_zeros(projection.shape[1])


def _linear_to_projection(tensors: Sequence[Tensor]) -> Tensor:
    weight, bias = tensors
    if bias.count_nonzero():
        raise CheckpointError(
            "'head.bias' is not zero, and Meta's layout has no place for a bias of the "
            'projection; only a head that was never trained with a bias converts'
        )
    return weight.T


KEEP = Transform(None, lambda tensor: (tensor,), lambda tensors: tensors[0])
# (C,) <-> (1, 1, C)
AS_TOKEN = Transform((1,), lambda row: (row[None, None],), lambda ours: ours[0][0, 0])
# (N, C), or in Meta's detectors (1, N, C), <-> (1, N, C)
AS_BATCH = Transform((2, 3), _rows_to_batch, lambda ours: ours[0][0])
# (3 C, ...) <-> (C, ...) and (2 C, ...)
SPLIT_QUERY = Transform(None, _split_query, lambda ours: torch.cat(tuple(ours)))
# (C, D) <-> (D, C) and zeros (D,)
AS_LINEAR = Transform((2,), _projection_to_linear, _linear_to_projection)


@dataclass(frozen=True)
class Rule:
    """Name one parameter, or one of every block, in both layouts.

    Attributes:
        meta: Meta's name; ``{i}`` stands for a block's number, ``{leaf}`` for weight or
            bias.
        ours: Our name, or several where Meta's tensor is split.
        transform: How the tensors differ.
    """

    meta: str
    ours: tuple[str, ...]
    transform: Transform = field(default=KEEP)


BLOCK = 'transformer.resblocks.{i}'
# Bounded, so that the number in a hostile name is no size to loop over.
BLOCK_NUMBER = r'(?:0|[1-9][0-9]{0,2})'

RULES: tuple[Rule, ...] = (
    Rule('class_embedding', ('cls_token',), AS_TOKEN),
    Rule('positional_embedding', ('pos_embed',), AS_BATCH),
    Rule('conv1.weight', ('patch_embed.proj.weight',)),
    Rule('ln_pre.{leaf}', ('norm_pre.{leaf}',)),
    Rule(f'{BLOCK}.ln_1.{{leaf}}', ('blocks.{i}.norm1.{leaf}',)),
    Rule(f'{BLOCK}.attn.in_proj_{{leaf}}', ('blocks.{i}.attn.qkv.{leaf}',)),
    Rule(f'{BLOCK}.attn.out_proj.{{leaf}}', ('blocks.{i}.attn.proj.{leaf}',)),
    Rule(f'{BLOCK}.ls_1.gamma', ('blocks.{i}.gamma_1',)),
    Rule(f'{BLOCK}.ln_2.{{leaf}}', ('blocks.{i}.norm2.{leaf}',)),
    Rule(f'{BLOCK}.mlp.c_fc.{{leaf}}', ('blocks.{i}.mlp.fc1.{leaf}',)),
    Rule(f'{BLOCK}.mlp.c_proj.{{leaf}}', ('blocks.{i}.mlp.fc2.{leaf}',)),
    Rule(f'{BLOCK}.ls_2.gamma', ('blocks.{i}.gamma_2',)),
    Rule('ln_post.{leaf}', ('norm.{leaf}',)),
    Rule('attn_pool.probe', ('attn_pool.latent',)),
    Rule(
        'attn_pool.attn.in_proj_{leaf}',
        ('attn_pool.q.{leaf}', 'attn_pool.kv.{leaf}'),
        SPLIT_QUERY,
    ),
    Rule('attn_pool.attn.out_proj.{leaf}', ('attn_pool.proj.{leaf}',)),
    Rule('attn_pool.layernorm.{leaf}', ('attn_pool.norm.{leaf}',)),
    Rule('attn_pool.mlp.c_fc.{leaf}', ('attn_pool.mlp.fc1.{leaf}',)),
    Rule('attn_pool.mlp.c_proj.{leaf}', ('attn_pool.mlp.fc2.{leaf}',)),
    Rule('proj', ('head.weight', 'head.bias'), AS_LINEAR),
)


def template_regex(template: str) -> str:
    """Turn a rule's name into the source of a regular expression with its fields."""
    source = re.escape(template)
    source = source.replace(r'\{i\}', f'(?P<i>{BLOCK_NUMBER})')
    return source.replace(r'\{leaf\}', '(?P<leaf>weight|bias)')


_META = [(re.compile(template_regex(rule.meta)), rule) for rule in RULES]
_OURS = [
    (re.compile(template_regex(name)), rule) for rule in RULES for name in rule.ours
]


def _find(
    key: str, table: Sequence[tuple[re.Pattern[str], Rule]]
) -> tuple[Rule | None, dict[str, str]]:
    """Return the rule that knows a name, and the fields it read from it."""
    for pattern, rule in table:
        if match := pattern.fullmatch(key):
            return rule, match.groupdict()
    return None, {}


@dataclass(frozen=True)
class Renamed:
    """Tensors under their new names.

    Attributes:
        tensors: New name -> tensor, in the order of the input.
        origin: New name -> the old names that it came from.
        unknown: Old names that no rule knows, left out of ``tensors``.
    """

    tensors: dict[str, Tensor]
    origin: dict[str, tuple[str, ...]]
    unknown: list[str]


def meta_to_ours(state_dict: Mapping[str, Tensor]) -> Renamed:
    """Rename Meta's names (without a prefix) to ours. Tensors are views where possible.

    Raises:
        CheckpointError: A tensor has not the number of dimensions of its name.
    """
    renamed = Renamed({}, {}, [])
    for key, tensor in state_dict.items():
        rule, fields = _find(key, _META)
        if rule is None:
            renamed.unknown.append(key)
            continue
        transform = rule.transform
        if transform.dims is not None and tensor.dim() not in transform.dims:
            raise CheckpointError(
                f'{key!r} has shape {tuple(tensor.shape)}; Meta stores it with '
                f'{" or ".join(map(str, transform.dims))} '
                f'dimension{"s" if transform.dims != (1,) else ""}'
            )
        names = [name.format(**fields) for name in rule.ours]
        for name, part in zip(names, transform.to_ours(tensor), strict=True):
            renamed.tensors[name] = part
            renamed.origin[name] = (key,)
    return renamed


def ours_to_meta(state_dict: Mapping[str, Tensor]) -> Renamed:
    """Rename our names (timm's, without a prefix) to Meta's.

    Raises:
        CheckpointError: One of the tensors that Meta stores as one is not there, or
            ``head.bias`` is not zero.
    """
    groups: dict[str, tuple[Rule, list[str]]] = {}
    unknown = []
    for key in state_dict:
        rule, fields = _find(key, _OURS)
        if rule is None:
            unknown.append(key)
            continue
        sources = [name.format(**fields) for name in rule.ours]
        groups.setdefault(rule.meta.format(**fields), (rule, sources))
    absent = [key for _, keys in groups.values() for key in keys]
    absent = [key for key in absent if key not in state_dict]
    if absent:
        raise CheckpointError(f'incomplete weights: {listing(absent)} not there')
    return Renamed(
        {
            name: rule.transform.to_meta([state_dict[key] for key in keys])
            for name, (rule, keys) in groups.items()
        },
        {name: tuple(keys) for name, (_, keys) in groups.items()},
        unknown,
    )


def meta_name(key: str) -> str | None:
    """Return Meta's name for one of ours (both without a prefix); None if unknown."""
    rule, fields = _find(key, _OURS)
    return rule.meta.format(**fields) if rule else None
