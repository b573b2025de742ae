"""Trained nano encoders as files that a repository can keep."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pe_mm.checkpoints import CheckpointError, convert_state_dict, read_checkpoint
from pe_mm.checkpoints.writing import atomic_file, save_checkpoint
from pe_mm.engine.run_report import file_sha256

MAX_MEGABYTES = 20
CARD = 'weights.json'


def export_weights(
    checkpoint: Path, target: Path, *, prefix: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a checkpoint's encoder in fp16, and its entry in the folder's card.

    Args:
        checkpoint: Of a training.
        target: The safetensors file; ``weights.json`` beside it gets its entry.
        prefix: What the encoder's names start with in the checkpoint.
        facts: What the entry says of how the weights were made.

    Returns:
        The entry: the facts, and the file's SHA-256 and size.

    Raises:
        CheckpointError: There is no encoder, or its file would be too large to keep.
    """
    tensors = convert_state_dict(
        read_checkpoint(checkpoint), 'ours', prefix=prefix
    ).tensors
    tensors = {name: tensor.to(torch.float16) for name, tensor in tensors.items()}
    megabytes = sum(tensor.nbytes for tensor in tensors.values()) / 1e6
    if megabytes > MAX_MEGABYTES:
        raise CheckpointError(
            f'{checkpoint}: {megabytes:.1f} MB in fp16 are more than the '
            f'{MAX_MEGABYTES} MB that a repository should keep'
        )
    save_checkpoint(target, tensors)
    entry = {**facts, 'sha256': file_sha256(target), 'megabytes': round(megabytes, 1)}
    card = target.with_name(CARD)
    entries = json.loads(card.read_text()) if card.is_file() else {}
    entries[target.name] = entry
    with atomic_file(card) as temporary:
        temporary.write_text(json.dumps(entries, indent=2) + '\n')
    return entry
