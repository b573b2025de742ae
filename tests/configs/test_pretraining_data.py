"""The demo scenes with captions, alone, and by class, in the loaders of training."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from pe_mm.data import CLASSES, make_demo_data
from pe_mm.pretraining_data import ImageTextPreprocessor

DATASETS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'


@pytest.fixture(scope='module')
def demo_folder(tmp_path_factory):
    """A folder with data/demo of two pictures per split and one clip."""
    folder = tmp_path_factory.mktemp('pretraining')
    options = dict(train=2, val=2, clips=2, frames=3, size=64, clutter=0, workers=1)
    make_demo_data(folder / 'data/demo', **options)
    return folder


@pytest.fixture
def batch_of(demo_folder, monkeypatch):
    """Read the first batch of a config's split, and its dataset."""
    monkeypatch.chdir(demo_folder)
    init_default_scope('mmengine')

    def read(name, split):
        cfg = Config.fromfile(DATASETS / f'{name}.py')[f'{split}_dataloader']
        loader = Runner.build_dataloader({**cfg, 'batch_size': 1}, seed=0)
        batch = ImageTextPreprocessor()(next(iter(loader)))
        return batch['inputs'], batch['data_samples'][0], loader.dataset

    return read


def test_demo_pairs__splits__draw_in_training_and_keep_all_in_validation(batch_of):
    image, sample, dataset = batch_of('demo_pairs', 'train')
    assert image.shape == (1, 3, 128, 128)
    assert sample.sample_id.startswith('images/training/')
    assert len(dataset) == 2

    image, sample, _ = batch_of('demo_pairs', 'val')
    assert sample.sample_id == 'images/validation/000000.jpg'
    assert sample.caption == sample.captions[0]
    assert len(sample.captions) == 5


def test_demo_clips__splits__have_eight_frames(batch_of):
    for split, number in (('train', 1), ('val', 0)):
        clip, sample, _ = batch_of('demo_clips', split)
        assert clip.shape == (1, 8, 3, 128, 128)
        assert sample.sample_id == f'clips/JPEGImages/480p/clip-00{number}'
    assert sample.caption == sample.captions[0]


def test_demo_images__splits__have_maps_of_the_images_size(batch_of):
    for split in ('train', 'val'):
        image, sample, _ = batch_of('demo_images', split)
        assert image.shape == (1, 3, 128, 128)
        assert sample.instance_map.shape == (128, 128)
        assert sample.instance_map.dtype == torch.int32
        assert len(sample.instance_map.unique()) > 2
        assert 'caption' not in sample


def test_demo_object_classes__validation__has_classes_of_the_scenes(batch_of):
    image, sample, dataset = batch_of('demo_object_classes', 'val')

    assert image.shape == (1, 3, 128, 128)
    assert dataset.metainfo['classes'] == tuple(CLASSES)
    assert 0 <= sample.label < len(CLASSES)
    assert sample.sample_id.endswith('images/validation/000000.jpg')
