"""A small segmentor to train and test, and an encoder to look into."""

from pathlib import Path

import cv2
import mmengine
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from PIL import Image
from seeded_models import CONFIGS, write_checkpoint, write_image

from pe_mm.analysis.images import read_pictures
from pe_mm.cli.encoder_images import to_tensor
from pe_mm.cli.main import main
from pe_mm.engine.encoder_loading import load_encoder

WINDOWED = CONFIGS / 'demo' / 'mask_rcnn_pe_nano_windowed.py'
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


@pytest.fixture(scope='session')
def detector_weights(tmp_path_factory):
    """Write seeded weights of the windowed detector."""
    return write_checkpoint(WINDOWED, tmp_path_factory.mktemp('seeded') / 'model.pth')


@pytest.fixture
def image_files(tmp_path):
    """Write two images of 8 x 10 and 9 x 8 patches."""
    paths = [tmp_path / 'a.png', tmp_path / 'b.png']
    for path, shape in zip(paths, ((128, 160, 3), (144, 128, 3)), strict=True):
        write_image(path, shape)
    return paths


@pytest.fixture
def run_encoder(detector_weights, image_files, tmp_path, capsys):
    """Run a command; returns its code and what it printed."""

    def run(command, *words, encoder=WINDOWED, sources=None):
        sources = image_files if sources is None else sources
        words = ['--weights', detector_weights, '--device', 'cpu', *words]
        if '--out' not in words:
            words += ['--out', tmp_path / 'out']
        code = main([str(word) for word in (command, encoder, *sources, *words)])
        return code, capsys.readouterr()

    return run


@pytest.fixture
def encoder_inputs(detector_weights, image_files):
    """Return the encoder with all its layers, and the images as it takes them."""
    loaded = load_encoder(WINDOWED, detector_weights, layers='all')
    tensors = [to_tensor(loaded, p) for p in read_pictures(image_files, None, 16)]
    return loaded.encoder, tensors


@pytest.fixture
def written(tmp_path):
    """Return a function that gives the files in what a command printed."""

    def read(printed):
        start = f'wrote {tmp_path / "out"}/'
        lines = [x for x in printed.out.splitlines() if x.startswith('wrote ')]
        files = [line.removeprefix(start) for line in lines]
        assert sorted(files) == sorted(p.name for p in (tmp_path / 'out').iterdir())
        for name in files:
            if name.endswith('.png'):
                assert Image.open(tmp_path / 'out' / name).size[0] == 900
        return files

    return read
