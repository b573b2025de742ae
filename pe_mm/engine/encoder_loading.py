"""One encoder for the tools that look into it: from a config, or from a name."""

import difflib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor

from pe_mm.backbones import PerceptionEncoder, TimmEncoder
from pe_mm.checkpoints import load_encoder_weights, read_checkpoint
from pe_mm.checkpoints.layouts import unwrap
from pe_mm.checkpoints.reading import fetch
from pe_mm.layers import resolve_layers
from pe_mm.variants import PE_MEAN, PE_STD, VARIANTS, Variant, resolve_variant

from .configuring import check_stack, load_config
from .launching import unknown_names_are_user_errors
from .run_report import file_sha256

HUB = 'hub'
TIMM = 'timm/'

# What a model asks of its encoder and layer-wise tools do not: they take plain maps of
# the residual stream, without gradients, whose weights come from one place.
_PLAIN = {
    'freeze': True,
    'pretrained': False,
    'init_cfg': None,
    'output_class_token': False,
    'apply_final_norm': False,
    'with_pooling': False,
    'with_mask_token': False,
    'drop_path_rate': 0.0,
}
# What changes features beside the weights, in the encoders that have it.
_SETTINGS = (
    'patch_size',
    'window_size',
    'rope_reference_size',
    'position_embedding',
    'apply_final_norm',
    'model_name',
)
# Where models keep their encoder: detectors and segmentors, and ImageTextModel.
_PLACES = ('backbone', 'image_encoder')


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder that is ready to be measured, and where it came from.

    Attributes:
        encoder: The backbone, frozen, in eval mode; its ``out_indices`` are resolved.
        mean: Of the three channels as the encoder takes them, on 0-255.
        std: Likewise.
        bgr: Whether the encoder takes BGR, as a config without ``bgr_to_rgb`` has it.
        label: Short name for tables and plots: the variant's, or the config's stem.
        weights: The file or address of the weights; 'random' without.
        weights_hash: SHA-256 of the file's bytes; 'seed-N' for random weights.
        global_blocks: Blocks of the whole encoder that are not windowed where others
            are; those above the last layer count too, although they are not built.
    """

    encoder: PerceptionEncoder | TimmEncoder
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool
    label: str
    weights: str
    weights_hash: str
    global_blocks: tuple[int, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what features depend on beside the weights, as plain data.

        It is the same whichever layers are wanted.
        """
        encoder = self.encoder
        variant = getattr(encoder, 'variant', None)
        found: dict[str, Any] = asdict(variant) if isinstance(variant, Variant) else {}
        found |= {n: getattr(encoder, n) for n in _SETTINGS if hasattr(encoder, n)}
        if found.get('window_size') is not None:
            found['global_blocks'] = self.global_blocks
        if isinstance(variant, Variant) and encoder.patch_size != variant.patch_size:
            found['patch_resampling'] = encoder.patch_resampling
        if self.bgr or {*self.mean, *self.std} != {*PE_MEAN}:
            found |= {'mean': self.mean, 'std': self.std, 'bgr': self.bgr}
        plain: dict[str, Any] = json.loads(json.dumps(found))
        return plain

    @property
    def trained_grid(self) -> int:
        """Patches along a side of the images that the encoder was trained on."""
        encoder = self.encoder
        if isinstance(encoder, TimmEncoder):
            return encoder.trained_size // encoder.patch_size
        return encoder.variant.grid_size

    def normalize(self, images: Tensor) -> Tensor:
        """Turn pictures into the encoder's input, on the encoder's device.

        Args:
            images: (B, 3, H, W), RGB, 0-255, of any dtype.

        Returns:
            (B, 3, H, W) in the encoder's dtype.
        """
        like = next(self.encoder.parameters())
        images = images.to(like.device, like.dtype)
        if self.bgr:
            images = images.flip(1)
        mean, std = (like.new_tensor(v)[:, None, None] for v in (self.mean, self.std))
        return (images - mean) / std


@dataclass(frozen=True)
class _Recipe:
    """What an encoder is built from; the fields are ``LoadedEncoder``'s."""

    cfg: dict[str, Any]
    label: str
    mean: tuple[float, ...] = PE_MEAN
    std: tuple[float, ...] = PE_STD
    bgr: bool = False


def load_encoder(
    source: str | Path,
    checkpoint: str | Path | None = None,
    *,
    layers: str | int | Sequence[int] | None = None,
    device: str | torch.device = 'cpu',
    seed: int = 0,
) -> LoadedEncoder:
    """Build an encoder that returns the maps of the wanted layers.

    Blocks above the last wanted layer are not built, and their weights are skipped. All
    other weights of the encoder must be in the checkpoint, and be used.

    Args:
        source: A config of mmdet, mmseg or pe_mm, whose ``model.backbone`` (in an
            ``ImageTextModel``, ``image_encoder``) is built with the options it has
            there, and nothing else of the model; or a name of
            ``pe_mm.variants.VARIANTS``; or 'timm/' and timm's name of a plain vision
            transformer (see ``TimmEncoder``).
        checkpoint: A file: of the config's whole model, or of an encoder; an ``hf://``
            address; or 'hub' for the variant's official weights. None for random
            weights, with a warning: for dry runs.
        layers: 0-based block ids, 'last', 'quarters' or 'all'; None for the config's
            own ``out_indices``, or the last block of a variant.
        device: Where the encoder will be.
        seed: Of random weights, which are the same whichever layers are wanted.

    Returns:
        The encoder; its maps are always the raw residual stream, without final norm.

    Raises:
        FileNotFoundError: There is no such config.
        ImportError: The config's OpenMMLab package cannot be imported.
        pe_mm.checkpoints.CheckpointError: The weights cannot be read or do not fit.
        ValueError: Unknown name, a config whose backbone is no Perception Encoder or
            without mean and std, or layers that the encoder does not have.
    """
    if str(source).startswith(TIMM):
        return _load_timm(str(source), checkpoint, layers, torch.device(device), seed)
    recipe = _recipe_of(str(source))
    cfg = _with_layers(recipe.cfg, layers)
    with unknown_names_are_user_errors():
        encoder: PerceptionEncoder = MODELS.build(cfg)
    if checkpoint is None:
        # All blocks draw their numbers, so that they do not depend on the last wanted.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            whole = MODELS.build(cfg | {'out_indices': 'last'}).state_dict()
        encoder.load_state_dict({name: whole[name] for name in encoder.state_dict()})
        weights, digest = _warn_of_random(recipe.label, seed)
    else:
        weights = _official_weights(encoder) if checkpoint == HUB else str(checkpoint)
        path = fetch(weights)
        prefix = _prefix_of(read_checkpoint(path))
        load_encoder_weights(encoder, path, prefix=prefix)
        digest = file_sha256(path)
    return LoadedEncoder(
        encoder=encoder.to(device).eval(),
        mean=recipe.mean,
        std=recipe.std,
        bgr=recipe.bgr,
        label=recipe.label,
        weights=weights,
        weights_hash=digest,
        global_blocks=_global_blocks(recipe.cfg),
    )


def _warn_of_random(label: str, seed: int) -> tuple[str, str]:
    """Warn of random weights; return what stands for their file and hash."""
    print_log(
        f'{label} has random weights, whose results prove nothing: give a checkpoint, '
        f'or {HUB!r} for the official weights',
        logger='current',
        level=logging.WARNING,
    )
    return 'random', f'seed-{seed}'


def _load_timm(
    source: str,
    checkpoint: str | Path | None,
    layers: str | int | Sequence[int] | None,
    device: torch.device,
    seed: int,
) -> LoadedEncoder:
    name = source.removeprefix(TIMM)
    options: dict[str, Any] = {'pretrained': checkpoint == HUB}
    if checkpoint not in (None, HUB):
        options['init_cfg'] = {'type': 'Pretrained', 'checkpoint': str(checkpoint)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = TimmEncoder(
            name, 'last' if layers is None else layers, freeze=True, **options
        )
    label = encoder.model_name
    if checkpoint is None:
        weights, digest = _warn_of_random(label, seed)
    else:
        encoder.init_weights()
        weights = encoder.init_cfg['checkpoint']
        digest = file_sha256(fetch(weights))
    return LoadedEncoder(
        encoder=encoder.to(device).eval(),
        mean=encoder.mean,
        std=encoder.std,
        bgr=False,
        label=label,
        weights=weights,
        weights_hash=digest,
    )


def _recipe_of(source: str) -> _Recipe:
    if source in VARIANTS:
        cfg = {'type': 'pe_mm.PerceptionEncoder', 'variant': source}
        return _Recipe(cfg | _PLAIN, source)
    if not source.endswith('.py') and not Path(source).is_file():
        near = difflib.get_close_matches(source, VARIANTS, n=3, cutoff=0.4)
        hint = f'did you mean {" or ".join(near)}? ' if near else ''
        raise ValueError(
            f'{source!r} is neither a config file nor the name of an encoder; {hint}'
            f'known: {", ".join(VARIANTS)}, and {TIMM}NAME for a model of timm'
        )
    return _recipe_of_config(load_config(source, launcher='none'))


def _recipe_of_config(cfg: Config) -> _Recipe:
    check_stack(cfg)
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    model = cfg.get('model') or {}
    backbone = next((model[place] for place in _PLACES if place in model), None)
    if not isinstance(backbone, Mapping):
        raise ValueError(
            f'{cfg.filename} has no model.backbone or model.image_encoder; give a '
            'config whose model has one, or the name of an encoder'
        )
    kind = backbone.get('type')
    # A name may be one of the config's default scope only.
    with MODELS.switch_scope_and_registry(None) as registry:
        found = registry.get(kind) if isinstance(kind, str) else kind
    if isinstance(found, type) and not issubclass(found, PerceptionEncoder):
        raise ValueError(
            f'the backbone of {cfg.filename} is {found.__name__}; layers can be taken '
            "out of a config's PerceptionEncoder only; for a model of timm give "
            'timm/NAME'
        )
    images = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    # pe_mm's own preprocessor takes RGB, and knows PE's mean and std.
    own = str(images.get('type')).endswith('ImageTextPreprocessor')
    default = PE_MEAN if own else None
    mean, std = (_per_channel(images.get(name, default)) for name in ('mean', 'std'))
    if mean is None or std is None or not len(mean) == len(std) == 3:
        raise ValueError(
            f'{cfg.filename} does not say which pictures its encoder takes: '
            'model.data_preprocessor needs mean and std of three channels, got '
            f'mean={mean}, std={std}; for Perception Encoders both are '
            f'{list(PE_MEAN)} with bgr_to_rgb=True'
        )
    return _Recipe(
        dict(backbone) | _PLAIN,
        Path(cfg.filename).stem,
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        # Pictures are read as BGR, by mmcv's default.
        bgr=not (own or images.get('bgr_to_rgb', False)),
    )


def _per_channel(value: Any) -> Any:
    return [value] * 3 if isinstance(value, (int, float)) else value


def _with_layers(
    cfg: dict[str, Any], layers: str | int | Sequence[int] | None
) -> dict[str, Any]:
    """Ask an encoder for other layers, in which global blocks above have no place."""
    if layers is None:
        return cfg
    wanted = resolve_layers(layers, resolve_variant(cfg['variant']).depth)
    blocks = tuple(block for block in _global_blocks(cfg) if block <= wanted[-1])
    return cfg | {'out_indices': wanted, 'global_blocks': blocks}


def _global_blocks(cfg: Mapping[str, Any]) -> tuple[int, ...]:
    blocks = cfg.get('global_blocks') or ()
    if blocks == ():
        return ()
    return tuple(resolve_layers(blocks, resolve_variant(cfg['variant']).depth))


def _official_weights(encoder: PerceptionEncoder) -> str:
    variant = resolve_variant(encoder.variant)
    if variant.weights is None:
        raise ValueError(
            f'{HUB!r} needs an official variant, but {variant.name!r} has no weights '
            'there; give a checkpoint file'
        )
    return variant.weights


def _prefix_of(content: Mapping[str, Any]) -> str | None:
    """Choose the backbone where a checkpoint holds other encoders too (a teacher)."""
    names = {str(name).removeprefix('module.') for name in unwrap(content)}
    prefixes = (f'{place}.' for place in _PLACES)
    return next((p for p in prefixes if f'{p}pos_embed' in names), None)
