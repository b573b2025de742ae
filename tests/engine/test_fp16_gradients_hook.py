"""Gradients between processes travel in half precision."""

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from torch import nn

from pe_mm.engine import Fp16GradientsHook


@pytest.fixture
def process_group(tmp_path):
    dist.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    dist.destroy_process_group()


def gradient(model):
    model.module.weight.grad = None
    model(torch.full((1, 1), 1 / 3)).sum().backward()
    return model.module.weight.grad


def test_gradient__distributed__is_rounded_to_half_precision(process_group):
    model = MMDistributedDataParallel(nn.Linear(1, 1))
    assert gradient(model).item() == pytest.approx(1 / 3, abs=1e-8)
    Fp16GradientsHook().before_train(SimpleNamespace(model=model))

    rounded = gradient(model)

    assert rounded.dtype == torch.float32
    assert rounded.item() == torch.tensor(1 / 3).half().item()


def test_hook__single_process__says_that_it_has_nothing_to_do():
    messages = []
    runner = SimpleNamespace(
        model=nn.Linear(1, 1), logger=SimpleNamespace(info=messages.append)
    )

    Fp16GradientsHook().before_train(runner)

    assert messages == [
        'Fp16GradientsHook has nothing to do: the model is Linear, not '
        'DistributedDataParallel'
    ]
