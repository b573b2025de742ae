"""A run stops where its checkpoint has nothing for the backbone."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

from pe_mm.checkpoints import CheckpointError
from pe_mm.engine.covers_backbone_hook import CoversBackboneHook

MODEL = nn.ModuleDict({'backbone': nn.Linear(2, 2), 'head': nn.Linear(2, 1)})


def load(checkpoint, model=MODEL):
    runner = SimpleNamespace(model=model)
    CoversBackboneHook().after_load_checkpoint(runner, checkpoint)


def wrapped():
    # Without its __init__, which needs a process group.
    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    nn.Module.__init__(wrapper)
    wrapper.module = MODEL
    return wrapper


@pytest.mark.parametrize('make', [lambda: MODEL, wrapped], ids=['plain', 'wrapped'])
def test_hook__checkpoint_of_the_model__goes_on(make):
    load({'state_dict': MODEL.state_dict()}, make())


@pytest.mark.parametrize('make', [lambda: MODEL, wrapped], ids=['plain', 'wrapped'])
def test_hook__nothing_for_the_backbone__stops(make):
    with pytest.raises(CheckpointError, match=r'none of the model.*backbone\.\*'):
        load({'head.weight': torch.zeros(1, 2)}, make())
