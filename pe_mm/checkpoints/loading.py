"""Load weights into an encoder: all of them, or an error that names what differs."""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mmengine.logging import print_log
from torch import Tensor, nn

from pe_mm.checkpoints.architecture import Architecture, count_blocks
from pe_mm.checkpoints.errors import CheckpointError, listing
from pe_mm.checkpoints.layouts import Layout, find_encoder
from pe_mm.checkpoints.optional_parts import add_new, drop_token_row, reason_to_skip
from pe_mm.checkpoints.patch_kernel import resample_patch_kernel
from pe_mm.checkpoints.reading import Source, read_checkpoint
from pe_mm.checkpoints.rename_rules import meta_name
from pe_mm.checkpoints.values import check_dtypes, check_finite, check_not_meta
from pe_mm.variants import VARIANTS, Variant

if TYPE_CHECKING:
    from pe_mm.backbones import PerceptionEncoder


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes:
        source: The path or address, or 'the state dict'.
        layout: The names found: 'meta', or 'timm' (which is also ours).
        prefix: What the encoder's names start with in the checkpoint.
        loaded: Number of the encoder's tensors that were loaded, all but the added.
        skipped: Name in the checkpoint -> why the encoder has no use for it.
        resampled: Name of ours -> how its tensor was changed to fit.
        added: Name of ours -> why it keeps its initial value.
        warnings: What looks wrong although every tensor fits.
    """

    source: str
    layout: Layout
    prefix: str
    loaded: int
    skipped: dict[str, str] = field(default_factory=dict)
    resampled: dict[str, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(asdict(self), indent=2)

    def __str__(self) -> str:
        """Sum it up in a few lines for the log."""
        under = f' under {self.prefix!r}' if self.prefix else ''
        lines = [
            f'loaded {self.loaded} tensors from {self.source} '
            f'({self.layout} names{under}), none missing'
        ]
        lines += [f'{name}: {change}' for name, change in self.resampled.items()]
        for verb, names in (('skipped', self.skipped), ('added', self.added)):
            for reason, count in Counter(names.values()).items():
                alike = (name for name, why in names.items() if why == reason)
                lines.append(f'{verb} {count} ({reason}): {listing(alike, 3)}')
        return '\n  '.join(lines)


@dataclass(frozen=True)
class LoadPlan:
    """Checked tensors, ready to be copied into an encoder.

    Attributes:
        tensors: Name of ours -> tensor of the encoder's shape, for every parameter.
        report: What the load will have done.
    """

    tensors: dict[str, Tensor]
    report: LoadReport


def load_encoder_weights(
    encoder: 'PerceptionEncoder',
    source: Source,
    *,
    prefix: str | None = None,
    new_layer_scale: bool = False,
) -> LoadReport:
    """Load weights into an encoder, completely or not at all.

    The layout (Meta's, timm's, ours), containers and prefixes are found out by the
    names. Every parameter of the encoder must be in the checkpoint with its shape, and
    every tensor of the checkpoint's encoder must be used, but for these, which are
    logged: pooling, head, final norm and (with windows) class token where the encoder
    was built without; blocks above its last one; RoPE tables, which are computed; and
    what is outside the encoder (text tower, detector neck and heads). A patch kernel of
    another size is resampled. Meta's detection files have the same names, under
    ``backbone.net.``, and may keep a row of positions for a class token they lack.

    Weights of another variant are an error. Where a file fits tensor by tensor but has
    a pooling or final norm that the variant has not, the load warns: a student may well
    start from PE-Core. It also warns where the file may be another CLIP's.

    Args:
        encoder: The encoder, compiled or not; its dtype and device stay.
        source: A path, an ``hf://owner/repo/file`` address, or a state dict.
        prefix: What the encoder's names start with in the checkpoint, where it holds
            several encoders; None to find it.
        new_layer_scale: Accept weights without LayerScale for an encoder that has it,
            whose scales keep their initial values: to start the training of PE-Spatial
            from PE-Core (arXiv 2504.13181, table 23). The features are then others.

    Returns:
        What was loaded, skipped, resampled and added.

    Raises:
        CheckpointError: The source cannot be read, or does not fit; nothing is loaded.
        TypeError: ``encoder`` is no encoder, but a model that holds one, for example.
    """
    encoder = _as_encoder(encoder)
    plan = plan_load(encoder, source, prefix=prefix, new_layer_scale=new_layer_scale)
    copy_weights(encoder, plan.tensors, plan.report)
    return plan.report


def copy_weights(
    model: nn.Module, tensors: Mapping[str, Tensor], report: LoadReport
) -> None:
    """Copy tensors into a model if all can be held, and log the report.

    Args:
        model: An encoder, or a model with one.
        tensors: One of the right shape for each in the model's state dict.
        report: What the load does.

    Raises:
        CheckpointError: The model or a tensor is on the meta device, or a value is, or
            in the model's dtype becomes, NaN or infinite; nothing is copied.
    """
    wanted = model.state_dict()
    on_meta = [name for name, p in wanted.items() if p.is_meta]
    if on_meta:
        raise CheckpointError(
            f'the encoder is on the meta device ({listing(on_meta, 3)}) and can hold '
            "no weights; call encoder.to_empty(device='cpu') first"
        )
    check_not_meta(report.source, tensors)
    check_finite(report.source, tensors, wanted)
    model.load_state_dict(tensors, strict=True)
    print_log(str(report), logger='current')
    for warning in report.warnings:
        print_log(warning, logger='current', level=logging.WARNING)


def plan_load(
    encoder: 'PerceptionEncoder',
    source: Source,
    *,
    prefix: str | None = None,
    new_layer_scale: bool = False,
) -> LoadPlan:
    """Check that weights fit an encoder, without changing it.

    Args:
        encoder: As in ``load_encoder_weights``; it may be on the meta device.
        source: As in ``load_encoder_weights``.
        prefix: As in ``load_encoder_weights``.
        new_layer_scale: As in ``load_encoder_weights``.

    Raises:
        CheckpointError: The source cannot be read, or does not fit.
        TypeError: As in ``load_encoder_weights``.
    """
    encoder = _as_encoder(encoder)
    found = find_encoder(read_checkpoint(source), prefix)
    name = 'the state dict' if isinstance(source, Mapping) else os.fspath(source)
    renamed = found.in_our_names()
    tensors, wanted, variant = renamed.tensors, encoder.state_dict(), encoder.variant
    skipped, unexpected = dict(found.outside), list[str]()
    for key in (*tensors, *renamed.unknown):
        if key not in wanted:
            names = [found.prefix + old for old in renamed.origin.get(key, (key,))]
            reason = reason_to_skip(key, wanted, variant)
            if reason is None:
                unexpected += names
            else:
                skipped |= dict.fromkeys(names, reason)
    added = add_new(tensors, found.tensors, wanted, new_layer_scale)
    used = {key: tensors[key] for key in wanted if key in tensors}
    check_dtypes(name, used)
    resampled = resample_patch_kernel(used, wanted, encoder.patch_resampling)
    resampled |= drop_token_row(used, wanted)
    shown = _both_names if found.layout == 'meta' else str
    misshapen = [
        f'{shown(key)} is {_shape(tensor)} and must be {_shape(wanted[key])}'
        for key, tensor in used.items()
        if tensor.shape != wanted[key].shape
    ]
    problems = {
        'missing': [shown(key) for key in wanted if key not in tensors],
        'unexpected': list(dict.fromkeys(unexpected)),
        'misshapen': misshapen,
    }
    architecture = Architecture.of_weights(tensors)
    if any(problems.values()):
        told = (f'{len(n)} {kind}: {listing(n)}' for kind, n in problems.items() if n)
        raise CheckpointError(
            f'{name} does not fit the encoder ({variant.name}); {"; ".join(told)}'
            f'{_hint(architecture, variant, wanted)}'
        )
    check_family(name, tensors, found.layout, with_pool=variant.pool is not None)
    warnings = tuple(_doubts(name, tensors, architecture, wanted, variant))
    report = LoadReport(
        name,
        found.layout,
        found.prefix,
        len(used) - len(added),
        skipped,
        resampled,
        added,
        warnings,
    )
    return LoadPlan(used, report)


def _as_encoder(model: 'PerceptionEncoder') -> 'PerceptionEncoder':
    """Return the encoder itself, not torch.compile's wrapper of it.

    Raises:
        TypeError: It is something else; where an encoder is in it, the message tells.
    """
    encoder: Any = getattr(model, '_orig_mod', model)
    if isinstance(getattr(encoder, 'variant', None), Variant):
        return encoder
    modules = encoder.named_modules() if isinstance(encoder, nn.Module) else ()
    places = [
        name
        for name, module in modules
        if isinstance(getattr(module, 'variant', None), Variant)
    ]
    fix = f'; pass the encoder in it: model.{places[0]}' if places else ''
    raise TypeError(
        f'encoder must be a PerceptionEncoder, got {type(encoder).__name__}{fix}'
    )


def _hint(
    architecture: Architecture | None, variant: Variant, wanted: Mapping[str, Tensor]
) -> str:
    if architecture is None:
        return ''
    # The kernel is resampled, so that its size is never what differs.
    patch = wanted['patch_embed.proj.weight'].shape[-1]
    given = replace(architecture, patch_size=patch)
    full = replace(Architecture.of_variant(variant), patch_size=patch)
    # With windows, an encoder has no class token although its variant has.
    own = replace(full, class_token='cls_token' in wanted)
    if given in (full, own):
        return ''
    names = official_variants(architecture)
    if names and variant.name not in names:
        other = VARIANTS[names[0]]
        options = f'variant={other.name!r}'
        if architecture.patch_size != other.patch_size:
            options += f', patch_size={architecture.patch_size}'
        if architecture.class_token != other.class_token:
            options += ' and a window_size'
        return (
            f'. These look like {" or ".join(names)} weights ({architecture}); '
            f'build the encoder with {options}'
        )
    fix = ''
    if replace(given, cells=own.cells) in (own, full):
        size = round(given.cells**0.5) * variant.patch_size
        fix = f'; a custom variant with image_size={size} takes them'
    elif replace(given, class_token=True) == own:
        fix = '; only an encoder with window_size takes weights without class token'
    return f'. The weights have {architecture}; {variant.name} has {own}{fix}'


def official_variants(architecture: Architecture) -> list[str]:
    """Name the official variants that weights may have been made from.

    Detectors have patches of 16 pixels and no class token, whatever the variant has.
    """
    names = []
    for name, variant in VARIANTS.items():
        full = Architecture.of_variant(variant)
        given = replace(architecture, patch_size=full.patch_size)
        if given in (full, replace(full, class_token=False)):
            names.append(name)
    return names


def check_family(
    name: str, tensors: Mapping[str, Tensor], layout: Layout, *, with_pool: bool
) -> None:
    """Refuse OpenAI's CLIP, whose names and shapes are PE-Core's but for the pooling.

    Args:
        name: The source, for the message.
        tensors: The weights in our names.
        layout: The layout they came in. In timm's a classifier is named like the
            projection, so that only a variant with pooling tells them apart.
        with_pool: Whether the weights should have PE-Core's pooling.

    Raises:
        CheckpointError: There is a projection without attention pooling.
    """
    projected = 'head.weight' in tensors and 'attn_pool.latent' not in tensors
    if projected and (layout == 'meta' or with_pool):
        raise CheckpointError(
            f'{name} has a projection but no attention pooling, as the image towers of '
            "other CLIP models (OpenAI's); they are no Perception Encoders although "
            'the names agree. If these are, leave the projection out of the state dict'
        )


def _doubts(
    name: str,
    tensors: Mapping[str, Tensor],
    architecture: Architecture | None,
    wanted: Mapping[str, Tensor],
    variant: Variant,
) -> Iterator[str]:
    """Yield what looks like another variant although every tensor fits.

    Raises:
        CheckpointError: Another official variant fits exactly, and the weights were not
            saved from an encoder cut as this one.
    """
    own = Architecture.of_variant(variant)
    others = architecture.variants() if architecture and architecture != own else []
    if architecture and others:
        names = ' or '.join(others)
        if architecture.depth not in (own.depth, count_blocks(wanted)):
            raise CheckpointError(
                f'{name} fits the blocks built of {variant.name}, but these look like '
                f'{names} weights ({architecture}); build that variant'
            )
        yield f'{name} looks like {names} weights, loaded into {variant.name}'
    extra = [
        part
        for part, key, has in (
            ('an attention pooling', 'attn_pool.latent', variant.pool is not None),
            ('a final norm', 'norm.weight', variant.final_norm),
        )
        if key in tensors and not has
    ]
    if extra:
        yield (
            f'{name} has {" and ".join(extra)}, which {variant.name} does not have '
            '(PE-Core has): it was trained as another kind of encoder'
        )
    normed = 'norm.weight' in tensors and 'norm.weight' not in wanted
    if variant.pool is not None and normed and 'attn_pool.latent' not in tensors:
        yield (
            f'{name} has a final norm but no attention pooling: these may be the '
            f"weights of another CLIP (timm's vit_*_clip_*), not of {variant.name}"
        )


def _both_names(key: str) -> str:
    return f'{key} (in the file {meta_name(key)})'


def _shape(tensor: Tensor) -> str:
    return '(' + ', '.join(map(str, tensor.shape)) + ')'
