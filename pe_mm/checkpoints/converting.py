"""Convert a checkpoint's encoder between Meta's layout, timm's and ours."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from pe_mm.checkpoints.architecture import Architecture, block_of, count_blocks
from pe_mm.checkpoints.errors import CheckpointError, listing
from pe_mm.checkpoints.layouts import (
    ROPE_BUFFER,
    TRAINING_ONLY,
    Layout,
    find_encoder,
)
from pe_mm.checkpoints.loading import check_family
from pe_mm.checkpoints.rename_rules import RULES, ours_to_meta
from pe_mm.checkpoints.values import check_not_meta

Target = Literal['meta', 'timm', 'ours']


@dataclass(frozen=True)
class Conversion:
    """A converted state dict and where each of its tensors came from.

    Attributes:
        tensors: New name -> tensor, views of the old ones where possible.
        origin: New name -> names in the checkpoint.
        skipped: Name in the checkpoint -> why it has no place in an encoder.
        layout: The layout that was found.
        variants: Official variants of this architecture; several only where nothing but
            the training differs.
        changes: New name -> how its values differ from the old ones, where they do.
    """

    tensors: dict[str, Tensor]
    origin: dict[str, tuple[str, ...]]
    skipped: dict[str, str]
    layout: Layout | Literal['detectron2']
    variants: list[str]
    changes: dict[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one JSON-able row per tensor: its names, shape, dtype and change."""
        for name, tensor in self.tensors.items():
            row = {
                'from': list(self.origin[name]),
                'to': name,
                'shape': list(tensor.shape),
                'dtype': str(tensor.dtype).removeprefix('torch.'),
            }
            if name in self.changes:
                row['change'] = self.changes[name]
            yield row


def convert_state_dict(
    checkpoint: Mapping[str, Any], to: Target, *, prefix: str | None = None
) -> Conversion:
    """Rename a checkpoint's encoder; every value and dtype stays.

    Names lose their prefix. What is outside the encoder (text tower, detector),
    computed RoPE tables and the mask token are left out and listed.

    Args:
        checkpoint: A state dict in any layout, container and prefix that
            ``load_encoder_weights`` takes.
        to: 'meta', 'timm' or 'ours' (the same names as timm's).
        prefix: What the encoder's names start with, where there are several encoders.

    Raises:
        CheckpointError: There is no encoder, it is incomplete, has unknown tensors or
            such without values, or its head has a bias, which Meta's layout has no
            place for.
    """
    if to not in ('meta', 'timm', 'ours'):
        raise ValueError(f"to must be 'meta', 'timm' or 'ours', got {to!r}")
    found = find_encoder(checkpoint, prefix)
    ours = found.in_our_names()
    skipped, unknown = dict(found.outside), []
    for key in ours.unknown:
        if ROPE_BUFFER.fullmatch(key):
            skipped[found.prefix + key] = 'RoPE table, computed'
        elif key in TRAINING_ONLY:
            skipped[found.prefix + key] = TRAINING_ONLY[key]
        else:
            unknown.append(found.prefix + key)
    if unknown:
        raise CheckpointError(
            f'{len(unknown)} names that no Perception Encoder has: {listing(unknown)}'
        )
    check_complete(ours.tensors)
    check_not_meta('the checkpoint', ours.tensors)
    check_family('the checkpoint', ours.tensors, found.layout, with_pool=False)
    architecture = Architecture.of_weights(ours.tensors)
    variants = architecture.variants() if architecture else []
    tensors, origin = ours.tensors, ours.origin
    if to == 'meta':
        meta = ours_to_meta(tensors)
        tensors = meta.tensors
        origin = {
            name: tuple(dict.fromkeys(old for key in keys for old in origin[key]))
            for name, keys in meta.origin.items()
        }
    origin = {
        name: tuple(found.prefix + key for key in keys) for name, keys in origin.items()
    }
    return Conversion(tensors, origin, skipped, found.layout, variants)


def check_complete(tensors: Mapping[str, Tensor]) -> None:
    """Check that weights in our names are a whole encoder.

    Raises:
        CheckpointError: Tensors are absent; the message names them.
    """
    absent = absent_names(tensors)
    if absent:
        raise CheckpointError(
            f'incomplete weights: {len(absent)} tensors are absent: {listing(absent)}'
        )


def absent_names(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names that weights in our names lack to be a whole encoder.

    A part that some encoders lack (class token, LayerScale, final norm, pooling, head)
    may be absent as a whole.
    """
    depth = count_blocks(tensors)
    in_blocks = {key.split('.', 2)[2] for key in tensors if block_of(key) is not None}
    expected = [f'blocks.{i}.{name}' for i in range(depth) for name in in_blocks]
    for rule in RULES:
        for template in rule.ours:
            part = template.split('.')[0]
            needed = part in ('pos_embed', 'patch_embed', 'norm_pre') or (
                part in ('norm', 'attn_pool', 'head')
                and any(key.startswith(f'{part}.') for key in tensors)
            )
            if needed:
                leaves = ('weight', 'bias') if '{leaf}' in template else ('',)
                expected += (template.format(leaf=leaf) for leaf in leaves)
    return [key for key in expected if key not in tensors]
