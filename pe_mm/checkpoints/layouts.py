"""Find the encoder in a checkpoint: its container, its prefix and its layout."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from pe_mm.checkpoints.errors import CheckpointError, listing, shorten
from pe_mm.checkpoints.rename_rules import (
    RULES,
    Renamed,
    meta_name,
    meta_to_ours,
    template_regex,
)

Layout = Literal['meta', 'timm']

# Where training codes keep the state dict, the averaged weights first (as timm does).
CONTAINERS = (
    'state_dict_ema',
    'model_ema',
    'state_dict',
    'model',
    'weights',
    'module',
)
MAX_NESTING = 20
# What torch.compile, FSDP and activation checkpointing put into names, anywhere.
WRAPPERS = re.compile(
    r'(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.'
)
ROPE_BUFFER = re.compile(r'(?:.*\.)?(?:rope|freqs)(?:[._].*)?')
# What a trained encoder has beside the parameters of the rules -> why it may be left.
TRAINING_ONLY = {'mask_token': 'mask token, for training with hidden patches'}
_TEXT_TOWER = re.compile(
    r'(?:transformer\.resblocks|token_embedding|ln_final|text|text_model|text_encoder)\.'
    r'|(?:positional_embedding|text_projection|logit_scale|logit_bias)(?:$|\.)'
)


def _layout_regex(names: list[str]) -> re.Pattern[str]:
    # Group names may be used once; only the prefix is wanted here.
    sources = (re.sub(r'\?P<\w+>', '?:', template_regex(name)) for name in names)
    return re.compile(rf'(?P<prefix>(?:.*?\.)??)(?:{"|".join(sources)})')


_NAMES: dict[Layout, re.Pattern[str]] = {
    'meta': _layout_regex([rule.meta for rule in RULES]),
    'timm': _layout_regex([name for rule in RULES for name in rule.ours]),
}
# Names that neither a text tower nor another vision transformer has.
_SIGNATURE: dict[Layout, re.Pattern[str]] = {
    'meta': re.compile(r'conv1\.weight|ln_pre\.(?:weight|bias)'),
    'timm': re.compile(r'norm_pre\.(?:weight|bias)'),
}
_BLOCK: dict[Layout, re.Pattern[str]] = {
    'meta': re.compile(r'transformer\.resblocks\.\d+\.'),
    'timm': re.compile(r'blocks\.\d+\.'),
}

# A telling name of models taken for a Perception Encoder, the most telling first.
_OTHER_MODELS = (
    (r'image_encoder\.(?:patch_embed|blocks)\.', 'Segment Anything'),
    (r'(?:storage_tokens|register_tokens)$|\.ls1\.gamma$', 'DINOv2 or DINOv3'),
    (r'vision_model\.encoder\.layers\.', "a CLIP or SigLIP in transformers' layout"),
    (r'relative_position_bias_table$', 'a Swin or BEiT'),
    (r'(?:stages|downsample_layers)\.\d+\.', 'a ConvNeXt or another staged network'),
    (r'(?:^|\.)layer[1-4]\.\d+\.conv\d\.weight$', 'a ResNet'),
    (r'^(?:.*\.)?blocks\.\d+\.attn\.qkv\.weight$', 'another vision transformer'),
)


@dataclass(frozen=True)
class FoundEncoder:
    """An encoder's tensors in a checkpoint.

    Attributes:
        tensors: Name without the prefix -> tensor, in ``layout``'s names.
        layout: 'meta', or 'timm' (which is also ours).
        prefix: What the names start with in the checkpoint, '' or ending in a dot.
        outside: Names that are not the encoder's -> the reason to leave them.
    """

    tensors: dict[str, Tensor]
    layout: Layout
    prefix: str
    outside: dict[str, str]

    def in_our_names(self) -> Renamed:
        """Return the tensors under our names.

        Raises:
            CheckpointError: A tensor of Meta's has not the dimensions of its name.
        """
        if self.layout == 'meta':
            return meta_to_ours(self.tensors)
        known = {key: t for key, t in self.tensors.items() if meta_name(key)}
        unknown = [key for key in self.tensors if key not in known]
        return Renamed(known, {key: (key,) for key in known}, unknown)


def unwrap(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the state dict in a checkpoint's containers.

    Raises:
        CheckpointError: There are no tensors, several state dicts of unknown names, or
            they are nested deeper than any training code does.
    """
    # A dict may hold itself, or one that it is in.
    seen = {id(checkpoint)}
    while (inner := _inner_dict(checkpoint, seen)) is not None:
        if len(seen) > MAX_NESTING:
            raise CheckpointError(
                f'the checkpoint holds dicts nested more than {MAX_NESTING} deep; pass '
                'the state dict in them'
            )
        checkpoint = inner
        seen.add(id(checkpoint))
    return checkpoint


def _inner_dict(
    checkpoint: Mapping[str, Any], seen: set[int]
) -> Mapping[str, Any] | None:
    """Return the dict to look for the weights in; None where it is this one.

    Raises:
        CheckpointError: As in ``unwrap``.
    """
    for name in CONTAINERS:
        inner = checkpoint.get(name)
        if isinstance(inner, Mapping) and _holds_tensors(inner, seen):
            return inner
    if any(isinstance(value, Tensor) for value in checkpoint.values()):
        return None
    candidates = {
        str(name): inner for name, inner in checkpoint.items() if _is_state_dict(inner)
    }
    if len(candidates) == 1:
        (only,) = candidates.values()
        return only
    if candidates:
        raise CheckpointError(
            f'the checkpoint holds several state dicts, {listing(candidates)}; '
            'pass one of them'
        )
    if not checkpoint:
        raise CheckpointError('the checkpoint is an empty dict')
    raise CheckpointError(
        f'no weights in the checkpoint: it holds {listing(map(repr, checkpoint))}, '
        'none of them a tensor or a state dict'
    )


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(key, str) and isinstance(tensor, Tensor)
        for key, tensor in value.items()
    )


def _holds_tensors(value: Mapping[str, Any], seen: set[int]) -> bool:
    """Tell whether there is a state dict at any depth, outside the dicts ``seen``."""
    queue, seen = [value], set(seen)
    while queue:
        inner = queue.pop()
        if id(inner) in seen:
            continue
        if _is_state_dict(inner):
            return True
        seen.add(id(inner))
        queue += (item for item in inner.values() if isinstance(item, Mapping))
    return False


def detect_format(state_dict: Mapping[str, Any], prefix: str | None = None) -> Layout:
    """Tell the layout of the encoder in a state dict by its names.

    Our own checkpoints have timm's names, so they are 'timm' too.

    Raises:
        CheckpointError: There is no Perception Encoder in it, or there are several.
    """
    return find_encoder(state_dict, prefix).layout


def find_encoder(
    checkpoint: Mapping[str, Any], prefix: str | None = None
) -> FoundEncoder:
    """Find the one encoder in a checkpoint.

    Args:
        checkpoint: A state dict, or containers with one in it.
        prefix: What the encoder's names start with (a trailing dot may be left out);
            None to find it, which needs the encoder to be the only one.

    Raises:
        CheckpointError: There is no Perception Encoder in it, there are several, or
            one of its tensors is not dense (sparse, nested, quantised).
    """
    state_dict: dict[str, Tensor] = {}
    outside: dict[str, str] = {}
    for key, value in unwrap(checkpoint).items():
        name = WRAPPERS.sub('', str(key))
        if not isinstance(value, Tensor):
            outside[name] = 'not a tensor'
        elif name in state_dict:
            raise CheckpointError(f'the checkpoint holds {name!r} twice')
        else:
            state_dict[name] = value
    found = _encoders(state_dict)
    if prefix is not None:
        wanted = WRAPPERS.sub('', prefix if prefix.endswith('.') else prefix + '.')
        wanted = '' if prefix == '' else wanted
        found = {place: layout for place, layout in found.items() if place == wanted}
    if not found:
        raise CheckpointError(_nothing_found(state_dict, prefix))
    if len(found) > 1:
        raise CheckpointError(
            'the checkpoint holds several encoders, under the prefixes '
            f'{listing(repr(place) for place in found)}; pass prefix= to choose one'
        )
    ((place, layout),) = found.items()
    outside |= {
        key: _outside_reason(key, place)
        for key in state_dict
        if not key.startswith(place)
    }
    inside = {
        key[len(place) :]: tensor
        for key, tensor in state_dict.items()
        if key.startswith(place)
    }
    for key, tensor in inside.items():
        check_dense(place + key, tensor)
    return FoundEncoder(inside, layout, place, outside)


def check_dense(name: str, tensor: Tensor) -> None:
    """Refuse tensors that cannot be reshaped and copied like others."""
    kinds = {
        'uninitialised': is_lazy(tensor),
        'nested': tensor.is_nested,
        'quantised': tensor.is_quantized,
        'sparse': tensor.layout != torch.strided,
    }
    kind = next((kind for kind, found in kinds.items() if found), None)
    if kind is not None:
        raise CheckpointError(
            f'{shorten(name)!r} is no dense tensor ({kind}); weights must be dense '
            'floating point tensors'
        )


def _encoders(state_dict: Mapping[str, Tensor]) -> dict[str, Layout]:
    """Return the layout of each encoder by its prefix."""
    found: dict[str, Layout] = {}
    for layout, names in _NAMES.items():
        signed: Counter[str] = Counter()
        with_blocks: Counter[str] = Counter()
        for key in state_dict:
            if match := names.fullmatch(key):
                place = match['prefix']
                rest = key[len(place) :]
                signed[place] += bool(_SIGNATURE[layout].fullmatch(rest))
                with_blocks[place] += bool(_BLOCK[layout].match(rest))
        found |= {
            place: layout for place in signed if signed[place] and with_blocks[place]
        }
    return found


def _outside_reason(key: str, prefix: str) -> str:
    for tower in ('visual.', 'visual.trunk.', 'image_encoder.'):
        parent = prefix.removesuffix(tower)
        in_clip = parent != prefix and key.startswith(parent)
        if in_clip and _TEXT_TOWER.match(key[len(parent) :]):
            return 'text tower'
    return f'outside {prefix!r}'


def _nothing_found(state_dict: Mapping[str, Tensor], prefix: str | None) -> str:
    message = 'no Perception Encoder in the checkpoint'
    if prefix is not None:
        starts = sorted({key.split('.')[0] for key in state_dict})
        return f'{message} under the prefix {prefix!r}; names start {listing(starts)}'
    for pattern, model in _OTHER_MODELS:
        if any(re.search(pattern, key) for key in state_dict):
            return f'{message}: these look like the weights of {model}'
    if any(_TEXT_TOWER.match(key) for key in state_dict):
        return f'{message}: it holds a text tower only, no image encoder'
    return f'{message}: its names are {listing(state_dict, 5)}'
