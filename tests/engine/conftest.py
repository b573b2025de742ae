"""Trainings of a tiny model on a few images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pe_mm.cli.main import main

ASSETS = Path(__file__).parents[1] / 'assets'


@pytest.fixture
def tiny_config(tmp_path, monkeypatch):
    """Write eight images and the config of the tiny model; returns its path."""
    monkeypatch.syspath_prepend(ASSETS)
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / 'images').mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        pixels = rng.integers(0, 256, (24, 24, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'images' / f'{number}.png')
    # mmengine keeps one log per name and second.
    path = tmp_path / f'tiny_{tmp_path.name}.py'
    text = (ASSETS / 'tiny_image_config.py').read_text()
    path.write_text(text.replace('ROOT', str(tmp_path)))
    return path


@pytest.fixture
def train(tiny_config, tmp_path):
    """Train the tiny model in a folder; returns the weights it ends with."""

    def run(folder, *options, resume=()):
        work_dir = tmp_path / folder
        words = ['train', tiny_config, '--work-dir', work_dir, *resume]
        options = ['--cfg-options', *options] if options else []
        assert main([*map(str, words), *options]) == 0
        last = (work_dir / 'last_checkpoint').read_text()
        return torch.load(last, weights_only=True)['state_dict']

    return run
