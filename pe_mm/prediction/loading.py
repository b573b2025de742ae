"""Building a config's model with the weights of a checkpoint, ready to predict."""

from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint

from pe_mm.checkpoints.mmengine_loading import check_covers_backbone
from pe_mm.engine import check_stack
from pe_mm.engine.launching import unknown_names_are_user_errors
from pe_mm.engine.resuming import strict_loading

from .image_pipeline import ImagePipeline


def find_device(name: str | None) -> torch.device:
    """Return a device that works: the one of the name, else the GPU, else the CPU.

    Raises:
        ValueError: There is no such device here.
    """
    name = get_device() if name is None else name
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    # What torch raises depends on the kind of device.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split('\n')[0]
        raise ValueError(
            f'--device {name} cannot be used: {reason}; leave it out for the best '
            'device that there is'
        ) from error
    return device


def build_pipeline(cfg: Config) -> ImagePipeline:
    """Build the config's test pipeline, in the config's scope.

    Raises:
        ImportError: The config's OpenMMLab package cannot be imported.
        ValueError: The config has no test pipeline, or it names something unknown.
    """
    check_stack(cfg)
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    with unknown_names_are_user_errors():
        return ImagePipeline(cfg)


def load_model(
    cfg: Config, checkpoint: str, device: torch.device
) -> tuple[BaseModel, dict[str, Any]]:
    """Build the config's model with the weights of a checkpoint, all of them.

    Weights that the config would start a training from are never looked for.

    Args:
        cfg: A config whose pipeline was built, which sets the scope.
        checkpoint: A file, or a URL that mmengine can load.
        device: Where the model will be.

    Returns:
        The model in eval mode, and the 'meta' of the checkpoint.

    Raises:
        pe_mm.checkpoints.CheckpointError: The file is missing, torn or unsafe, or of
            another model.
        ValueError: The config has no model, or it names something unknown.
    """
    if cfg.get('model') is None:
        raise ValueError(f'{cfg.filename} has no model')
    with unknown_names_are_user_errors():
        model: BaseModel = MODELS.build(cfg.model)
    with strict_loading(checkpoint) as content:
        if content is not None:
            check_covers_backbone(content, model.state_dict())
        loaded = load_checkpoint(
            model, checkpoint, map_location='cpu', strict=True, logger='silent'
        )
    return revert_sync_batchnorm(model).to(device).eval(), loaded.get('meta') or {}
