"""Building timm's plain vision transformers, and reading their weights."""

import sys
from typing import Any

import timm
import torch
from timm.models import load_pretrained

from pe_mm.checkpoints.errors import CheckpointError, listing
from pe_mm.checkpoints.layouts import unwrap
from pe_mm.checkpoints.reading import read_checkpoint
from pe_mm.variants import VARIANTS

# What timm's ViT and Eva take so that images may have any size; others do not.
_ANY_SIZE = {'dynamic_img_size': True, 'dynamic_img_pad': True}


def build_model(name: str, model_args: dict[str, Any]) -> Any:
    """Build the whole model, for images of any size where it can.

    Raises:
        ValueError: There is no such model, or it is none that we take.
    """
    stem = name.split('.')[0]
    ours = [
        v.name for v in VARIANTS.values() if (v.timm_id or '').startswith(f'{stem}.')
    ]
    if ours:
        raise ValueError(
            f"{name} is {ours[0]}: use type='pe_mm.PerceptionEncoder', "
            f"variant='{ours[0]}'; away from its native size timm's features are not "
            "Meta's"
        )
    known = timm.list_models(f'{stem}.*', pretrained=True)
    if not timm.is_model(name) or ('.' in name and name not in known):
        raise ValueError(_no_such_model(name))
    options = {'num_classes': 0, **model_args}
    try:
        model = timm.create_model(name, **_ANY_SIZE | options)
    except TypeError as error:
        if 'dynamic_img' not in str(error):
            raise ValueError(f'{name}: model_args={model_args}: {error}') from error
        model = timm.create_model(name, **options)
    _check_plain(name, model)
    return model


def _no_such_model(name: str) -> str:
    stem = name.split('.')[0]
    near = timm.list_models(f'*{stem}*', pretrained=True)
    hint = f'it has {listing(near, 6)}' if near else "see timm.list_models('vit_*')"
    return f'timm {timm.__version__} has no model {name!r}; {hint}'


def _check_plain(name: str, model: Any) -> None:
    """Refuse what is not a row of equal blocks.

    Raises:
        ValueError: It is convolutional, or its maps get smaller.
    """
    blocks = getattr(model, 'blocks', None)
    info = list(getattr(model, 'feature_info', None) or ())
    shapes = {(entry['num_chs'], entry['reduction']) for entry in info}
    if blocks is None or len(info) != len(blocks) or len(shapes) != 1:
        raise ValueError(
            f'{name} ({type(model).__name__}) is no plain vision transformer: all '
            'blocks must have maps of one size; use one such as vit_base_patch16_dinov3'
        )


def only_size(model: Any) -> tuple[int, int] | None:
    """Return the one image size that a model takes; None for any size."""
    size = getattr(getattr(model, 'patch_embed', None), 'img_size', None)
    return None if size is None or getattr(model, 'dynamic_img_size', False) else size


def hub_address(name: str, model: Any) -> str:
    """Return where timm's weights of a model are.

    Raises:
        ValueError: It has none there.
    """
    facts = model.pretrained_cfg
    if not facts.get('hf_hub_id'):
        raise ValueError(
            f'timm has no weights of {name} on the Hugging Face hub; pass '
            "init_cfg=dict(type='Pretrained', checkpoint=FILE)"
        )
    file = facts.get('hf_hub_filename') or 'model.safetensors'
    return f'hf://{facts["hf_hub_id"]}/{file}'


def load_model(name: str, checkpoint: str, model_args: dict[str, Any]) -> Any:
    """Build the whole model with weights of a file or an ``hf://`` address.

    Parameters that the weights lack are NaN; ``check_complete`` tells them.

    Raises:
        pe_mm.checkpoints.CheckpointError: The weights cannot be read.
    """
    with torch.random.fork_rng(devices=()):
        model = build_model(name, model_args)
    tensors = dict(unwrap(read_checkpoint(checkpoint)))
    facts = {**model.pretrained_cfg, 'state_dict': tensors}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    rename = getattr(sys.modules[type(model).__module__], 'checkpoint_filter_fn', None)
    try:
        load_pretrained(model, facts, num_classes=0, filter_fn=rename, strict=False)
    except (RuntimeError, KeyError, OSError) as error:
        raise CheckpointError(
            f'{checkpoint} cannot be loaded into timm model {name}: {error}'
        ) from error
    return model


def check_complete(name: str, checkpoint: str, model: Any) -> None:
    """Make sure that every parameter of a model has been loaded.

    timm only warns of what is missing.

    Raises:
        pe_mm.checkpoints.CheckpointError: Naming parameters that have not.
    """
    missing = [n for n, p in model.named_parameters() if p.isnan().any()]
    if missing:
        raise CheckpointError(
            f'{checkpoint} does not fit timm model {name}; {len(missing)} parameters '
            f'are missing or not finite: {listing(missing)}'
        )
