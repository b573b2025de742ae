"""Small clips in DAVIS' layout, and an encoder that sees little but colours."""

from functools import partial

import pytest
import torch
from tracking_data import write_clip

from pe_mm.backbones import PerceptionEncoder
from pe_mm.engine.encoder_loading import LoadedEncoder


@pytest.fixture
def davis_root(tmp_path):
    """Return the folder of the clips."""
    return tmp_path / 'davis'


@pytest.fixture
def davis(davis_root):
    """Return a function that adds a clip and returns the folder of all of them."""
    return partial(write_clip, davis_root)


@pytest.fixture
def colors_encoder():
    """Return an encoder whose features are little more than the colour of a patch."""
    torch.manual_seed(0)
    variant = dict(depth=2, width=32, heads=2, patch_size=8, image_size=64)
    encoder = PerceptionEncoder(variant, 'all', freeze=True).eval()
    encoder.pos_embed.zero_()
    return LoadedEncoder(
        encoder, (127.5,) * 3, (127.5,) * 3, False, 'colors', 'random', 'seed-0'
    )
