"""Refuse weights whose values cannot be an encoder's."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pe_mm.checkpoints.errors import CheckpointError, listing


def check_not_meta(name: str, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors of the meta device, which have a shape but no values.

    Args:
        name: The source, for the message.
        tensors: The weights.

    Raises:
        CheckpointError: There are such tensors; the message names them.
    """
    empty = [key for key, tensor in tensors.items() if tensor.is_meta]
    if empty:
        raise CheckpointError(
            f'{name} holds shapes without values: {len(empty)} tensors are on the meta '
            f'device: {listing(empty, 3)}; save the state dict of a materialised model'
        )


def check_dtypes(name: str, tensors: Mapping[str, Tensor]) -> None:
    """Refuse integers, which are quantised weights, and complex numbers.

    Args:
        name: The source, for the message.
        tensors: The weights.

    Raises:
        CheckpointError: A tensor is not of real floating point numbers.
    """
    for key, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise CheckpointError(
                f'{key} in {name} is {tensor.dtype}; weights must be real floating '
                'point numbers, such as float32 or bfloat16'
            )


def check_finite(
    name: str, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> None:
    """Refuse values that are, or in the encoder's dtype become, NaN or infinite.

    Args:
        name: The source, for the message.
        tensors: The weights.
        wanted: The encoder's own tensors of the same names.

    Raises:
        CheckpointError: There are such values, or torch cannot convert the dtype.
    """
    bad = []
    for key, parameter in wanted.items():
        tensor = tensors[key]
        try:
            finite = torch.isfinite(tensor.to(parameter.dtype)).all()
        except NotImplementedError as error:
            raise CheckpointError(
                f'{key} in {name} is {tensor.dtype}, which torch cannot turn into '
                f'{parameter.dtype}'
            ) from error
        if not finite:
            bad.append(f'{key} (as {parameter.dtype})')
    if bad:
        raise CheckpointError(f'{name} holds NaN or infinite values in {listing(bad)}')
