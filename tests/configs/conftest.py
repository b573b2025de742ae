"""What the tests of configs share."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture(scope='session')
def mask_rcnn_config() -> Callable[[str], Config]:
    """Read configs/detection/mask_rcnn_pe_<name>.py."""
    return lambda name: Config.fromfile(CONFIGS / f'detection/mask_rcnn_pe_{name}.py')


@pytest.fixture(scope='session')
def build_on_meta() -> Callable[[Config], nn.Module]:
    """Build a config's model without memory for its parameters."""

    def build(cfg: Config) -> nn.Module:
        init_default_scope(cfg.default_scope)
        with torch.device('meta'):
            return MODELS.build(cfg.model)

    return build
