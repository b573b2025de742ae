"""Weights whose values cannot be an encoder's are refused by name."""

import pytest
import torch

from pe_mm.checkpoints import CheckpointError
from pe_mm.checkpoints.values import check_dtypes, check_finite, check_not_meta

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
GOOD = {f'blocks.{i}.gamma_1': torch.ones(4, dtype=d) for i, d in enumerate(FLOATS)}


def test_checks__floats_of_every_size__pass() -> None:
    check_not_meta('a.pt', GOOD)
    check_dtypes('a.pt', GOOD)
    check_finite('a.pt', GOOD, GOOD)


def test_check_not_meta__shapes_without_values__are_named_and_counted() -> None:
    state = GOOD | {f'x{i}': torch.zeros(1, device='meta') for i in range(5)}
    with pytest.raises(
        CheckpointError,
        match=r'a\.pt holds shapes .* 5 tensors .* device: x0, x1, x2 and 2 more;',
    ):
        check_not_meta('a.pt', state)


@pytest.mark.parametrize('dtype', [torch.int8, torch.bool, torch.complex64])
def test_check_dtypes__no_real_floats__are_named(dtype) -> None:
    state = GOOD | {'pos_embed': torch.zeros(1, dtype=dtype)}
    match = rf'pos_embed in a\.pt is {dtype}; weights must be real floating point'
    with pytest.raises(CheckpointError, match=match):
        check_dtypes('a.pt', state)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf'), 1e6])
def test_check_finite__value_that_float16_has_not__is_named(value) -> None:
    state = GOOD | {'pos_embed': torch.tensor([0, value])}
    wanted = {key: tensor.half() for key, tensor in state.items()}
    match = r'a\.pt holds NaN .* values in pos_embed \(as torch\.float16\)'
    with pytest.raises(CheckpointError, match=match):
        check_finite('a.pt', state, wanted)


@pytest.mark.skipif(not hasattr(torch, 'float4_e2m1fn_x2'), reason='older torch')
def test_check_finite__dtype_that_torch_cannot_convert__is_named() -> None:
    packed = torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    with pytest.raises(CheckpointError, match='cannot turn into torch.float32'):
        check_finite('a.pt', {'pos_embed': packed}, {'pos_embed': torch.zeros(4)})
