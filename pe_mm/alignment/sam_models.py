"""SAM and SAM 2 by transformers: load them whole or not at all."""

import hashlib
from typing import Any

import torch
from torch import nn

from pe_mm.checkpoints import CheckpointError
from pe_mm.checkpoints.errors import listing, shorten

# transformers' model_type -> its class; SAM 2's released weights are for videos too.
MODELS = {'sam': 'SamModel', 'sam2': 'Sam2Model', 'sam2_video': 'Sam2Model'}


def load_sam(checkpoint: str, dtype: torch.dtype) -> Any:
    """Load a model in eval mode, without gradients.

    Args:
        checkpoint: A folder in transformers' layout, or a repository of the Hugging
            Face hub, such as 'facebook/sam2.1-hiera-large' or 'facebook/sam-vit-huge'.
        dtype: Of the weights.

    Returns:
        transformers' SamModel or Sam2Model.

    Raises:
        CheckpointError: It cannot be had or read, is another model, or lacks weights.
        ImportError: transformers is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "SamMaskTeacher needs transformers: pip install 'transformers>=4.56'"
        ) from error
    name = shorten(checkpoint)
    try:
        kind = transformers.AutoConfig.from_pretrained(checkpoint).model_type
        if kind not in MODELS:
            raise CheckpointError(
                f'{name} is a {kind!r} model; SamMaskTeacher takes {tuple(MODELS)}'
            )
        model, info = getattr(transformers, MODELS[kind]).from_pretrained(
            checkpoint, dtype=dtype, output_loading_info=True
        )
    except CheckpointError:
        raise
    # The hub, the file and the config decide what is raised.
    except Exception as error:
        reason = str(error).strip().split('\n')[0]
        raise CheckpointError(
            f'cannot load SAM from {name!r} ({type(error).__name__}: {reason}); give '
            'a folder with config.json and model.safetensors, or a repository such as '
            "'facebook/sam2.1-hiera-large'. Without network, download it first and "
            'give the folder'
        ) from error
    absent = sorted(info['missing_keys'])
    if absent:
        # transformers would go on with random numbers in their place.
        raise CheckpointError(
            f'{name} lacks {len(absent)} weights of a {MODELS[kind]}: '
            f'{listing(absent, 3)}; download it again'
        )
    return model.eval().requires_grad_(False)


def input_size(model: Any) -> tuple[int, int]:
    """Return the height and width of the images that a model takes."""
    size = model.config.prompt_encoder_config.image_size
    return (size, size) if isinstance(size, int) else tuple(size)


def weights_digest(model: nn.Module) -> str:
    """Return a hash of all weights: equal for equal models, wherever they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        raw = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(raw.numpy().data)
    return digest.hexdigest()
