"""A small segmentor to train and test, and weights for its backbone."""

from pathlib import Path

import cv2
import mmengine
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

ASSETS = Path(__file__).parents[1] / 'assets'


@pytest.fixture
def mmseg_config(tmp_path):
    """A config of a small segmentor, and two pictures with labels."""
    for folder, scale in (('images', 200), ('annotations', 1)):
        (tmp_path / folder).mkdir()
        for index in range(2):
            picture = np.zeros((64, 64), np.uint8)
            picture[:, 20 * (index + 1) :] = scale
            cv2.imwrite(str(tmp_path / folder / f'{index}.png'), picture)
    config = tmp_path / 'mmseg_config.py'
    template = (ASSETS / 'mmseg_config.py').read_text()
    config.write_text(template.replace('ROOT', str(tmp_path)))
    return config


@pytest.fixture
def encoder_file(mmseg_config):
    """Return a file with weights of the segmentor's encoder alone."""
    backbone = mmengine.Config.fromfile(mmseg_config).model.backbone
    path = mmseg_config.with_name('encoder.pt')
    torch.save(MODELS.build(backbone).state_dict(), path)
    return path
