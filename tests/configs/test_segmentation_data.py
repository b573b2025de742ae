"""The data pipelines of configs/segmentation, pixel by pixel, on made-up data."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS, MODELS
from PIL import Image
from segmentation_data import SIZES, WRITERS

SEGMENTATION = Path(__file__).parents[2] / 'configs/segmentation'
RECIPES = {
    'ade20k_dinov3': {1: 0, 2: 1, 150: 149, 0: 255},
    'cityscapes_dinov3': {0: 0, 1: 1, 18: 18, 255: 255},
    'voc2012_dinov3': {0: 0, 1: 1, 20: 20, 255: 255},
}


@pytest.fixture(params=RECIPES)
def recipe(request, tmp_path):
    """A config that reads made-up data, and what it makes of the labels on disk."""
    cfg = Config.fromfile(SEGMENTATION / f'linear_pe_spatial_g_{request.param}.py')
    test_set = cfg.test_dataloader.dataset
    WRITERS[test_set.type](tmp_path)
    sets = cfg.train_dataloader.dataset.get('datasets')
    for dataset in [*(sets or [cfg.train_dataloader.dataset]), test_set]:
        dataset.data_root = str(tmp_path)
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield cfg, RECIPES[request.param]


def stored(sample):
    """Return the picture and the labels that a sample comes from."""
    image = Image.open(sample.img_path).convert('RGB')
    return image, np.array(Image.open(sample.seg_map_path))


def test_test_data__image__is_resized_by_pillow_to_a_short_side_of_448(recipe):
    cfg, _ = recipe
    dataset = DATASETS.build(cfg.test_dataloader.dataset)

    assert len(dataset) == len(SIZES)
    for item, (height, width) in zip(dataset, SIZES, strict=True):
        image, _ = stored(item['data_samples'])
        assert image.size == (width, height)
        size = (int(width * 448 / height + 0.5), 448)
        wanted = np.array(image.resize(size, Image.Resampling.BILINEAR))
        found = item['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
        # mmcv decodes JPEG by OpenCV, whose rounding is its own.
        assert np.abs(found.astype(int) - wanted).max() <= 4
        assert item['data_samples'].ori_shape == (height, width)


def test_test_data__labels__keep_their_size_and_count_from_zero(recipe):
    cfg, labels = recipe
    for item in DATASETS.build(cfg.test_dataloader.dataset):
        found = item['data_samples'].gt_sem_seg.data[0].numpy()
        _, wanted = stored(item['data_samples'])
        assert sorted(np.unique(wanted)) == sorted(labels)
        for on_disk, label in labels.items():
            assert ((found == label) == (wanted == on_disk)).all()


def test_training_data__small_image__is_padded_with_zeros_and_ignored_labels(recipe):
    cfg, labels = recipe
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    np.random.seed(0)
    items = [dataset[i % len(dataset)] for i in range(12)]
    sizes = [item['inputs'].shape[1:] for item in items]
    assert min(height for height, _ in sizes) < 448  # ratios begin at 0.5
    batch = {key: [item[key] for item in items] for key in items[0]}

    data = preprocessor(batch, training=True)

    assert data['inputs'].shape == (12, 3, 448, 448)
    for image, sample, (height, width) in zip(
        data['inputs'], data['data_samples'], sizes, strict=True
    ):
        target = sample.gt_sem_seg.data[0]
        assert target.shape == (448, 448)
        assert not image[:, height:].any() and not image[..., width:].any()
        assert (target[height:] == 255).all() and (target[:, width:] == 255).all()
        assert set(target.unique().tolist()) <= set(labels.values())
        assert image.abs().max() <= 1


def test_training_data__voc__has_both_of_its_sets(recipe):
    cfg, _ = recipe
    dataset = DATASETS.build(cfg.train_dataloader.dataset)

    sets = 2 if cfg.test_dataloader.dataset.type == 'PascalVOCDataset' else 1
    paths = {dataset[i]['data_samples'].img_path for i in range(len(dataset))}
    assert len(paths) == len(dataset) == sets * len(SIZES)
