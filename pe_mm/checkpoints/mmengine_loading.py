"""What mmengine's own loading of whole models neither checks nor leaves out."""

from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseModule, PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn

from pe_mm.checkpoints.errors import CheckpointError
from pe_mm.checkpoints.layouts import find_encoder
from pe_mm.variants import Variant

PREFIX = 'backbone.'


def check_covers_backbone(
    checkpoint: Mapping[str, Any], model: Mapping[str, Tensor]
) -> None:
    """Check that a checkpoint of a whole model has weights for its backbone.

    mmengine's ``load_from`` loads what fits and logs the rest, so that a file of an
    encoder alone, whose names have no ``backbone.``, would leave every weight random.

    Args:
        checkpoint: What mmengine read: a state dict, or a dict with a 'state_dict'.
        model: The state dict of the model that is going to be loaded.

    Raises:
        CheckpointError: The model has a backbone, and none of its tensors is in the
            checkpoint with its name and shape.
    """
    backbone = {key: t for key, t in model.items() if key.startswith(PREFIX)}
    state_dict = checkpoint.get('state_dict', checkpoint)
    for key, tensor in state_dict.items():
        # The prefix that mmengine removes.
        wanted = backbone.get(str(key).removeprefix('module.'))
        shape = getattr(tensor, 'shape', None)
        if wanted is not None and shape == wanted.shape:
            return
    if not backbone:
        return
    raise CheckpointError(
        f"the checkpoint holds {_description(checkpoint)}, and none of the model's "
        f'{len(backbone)} weights named {PREFIX}*; to start a backbone from such '
        "weights, set model.backbone.init_cfg=dict(type='Pretrained', "
        'checkpoint=...) in the config instead of loading them into the whole model'
    )


def _description(checkpoint: Mapping[str, Any]) -> str:
    try:
        prefix = find_encoder(checkpoint).prefix
    except CheckpointError:
        return 'weights of another model'
    under = f' under {prefix!r}' if prefix else ' alone'
    return f'a Perception Encoder{under}'


def skip_pretrained(model: nn.Module) -> None:
    """Leave out the pretrained weights that a model would load before it is resumed.

    mmengine initialises a model also where a checkpoint replaces every weight, which
    would need the official files again. The config is left as it is.

    Args:
        model: The model, changed in place: what is initialised otherwise still is.
    """
    for module in model.modules():
        if not isinstance(module, BaseModule):
            continue
        cfgs = (
            module.init_cfg if isinstance(module.init_cfg, list) else [module.init_cfg]
        )
        kept = [cfg for cfg in cfgs if not is_pretrained(cfg)]
        if len(kept) < len(cfgs):
            module.init_cfg = kept or None


def is_pretrained(cfg: Any) -> bool:
    """Tell whether an ``init_cfg`` loads weights, however its type is spelt."""
    kind = cfg.get('type') if isinstance(cfg, Mapping) else None
    if isinstance(kind, str):
        kind = WEIGHT_INITIALIZERS.get(kind)
    return kind is PretrainedInit


def pretrained_cfg(init_cfg: dict | list[dict] | None) -> dict | None:
    """Return the part of an ``init_cfg`` that loads weights; None without."""
    cfgs = init_cfg if isinstance(init_cfg, list) else [init_cfg]
    return next((cfg for cfg in cfgs if is_pretrained(cfg)), None)


def resolve_init_cfg(
    variant: Variant, pretrained: bool, init_cfg: dict | list[dict] | None
) -> dict | list[dict] | None:
    """Return an encoder's ``init_cfg``, with the official weights if they are wanted.

    Args:
        variant: The encoder's variant.
        pretrained: Whether to load the variant's official weights.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: Both are given, a value is of the wrong kind, weights are mixed with
            other initialisations, or the variant has no official weights.
    """
    if not isinstance(pretrained, bool):
        raise ValueError(
            f'pretrained must be True or False, got {pretrained!r}; for a file pass '
            "init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    if init_cfg is not None and not isinstance(init_cfg, (dict, list)):
        raise ValueError(
            "init_cfg must be a dict such as dict(type='Pretrained', checkpoint=...), "
            f'or a list of them; got {init_cfg!r}'
        )
    cfg = pretrained_cfg(init_cfg)
    if cfg is not None and (not cfg.get('checkpoint') or isinstance(init_cfg, list)):
        raise ValueError(
            'init_cfg of pretrained weights must be one dict with a checkpoint, got '
            f'{init_cfg!r}; every parameter is loaded, so nothing else can be set'
        )
    if not pretrained:
        return init_cfg
    if init_cfg is not None:
        raise ValueError(
            'pretrained=True and init_cfg both say where weights come from; pass one'
        )
    if variant.weights is None:
        raise ValueError(
            'pretrained=True needs an official variant, a custom one has no weights; '
            "pass init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    return {'type': 'Pretrained', 'checkpoint': variant.weights}
