"""Images of data sets' configs: loaded as they are, in one square, fingerprinted."""

import json
import os

import cv2
import numpy as np
import pytest
import torch
from depth_data import write_nyu
from mmengine.config import Config
from seeded_models import CONFIGS
from segmentation_data import write_ade20k, write_voc2012

from pe_mm.probing.config_images import (
    ConfigImages,
    load_data_config,
    load_splits,
    spread,
    to_square,
)

DATASETS = CONFIGS / '_base_' / 'datasets'


def splits(name, root, scope='mmseg', side=64, limits=(None, None)):
    cfg = load_data_config(DATASETS / name, data_root=root, options=[])
    return load_splits(cfg, scope, side, limits)


def test_images__demo_scenes__are_rgb_with_labels_of_their_own_size(scenes):
    train, val = splits('demo_semantic.py', scenes, side=32)
    assert (len(train), len(val)) == (5, 3)
    sample = train[1]
    picture = cv2.imread(str(scenes / 'images' / 'training' / '000001.jpg'))
    rgb = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)
    assert torch.equal(sample.image, to_square(rgb, 32))
    labels = cv2.imread(
        str(scenes / 'annotations' / 'training' / '000001.png'), cv2.IMREAD_GRAYSCALE
    )
    wanted = np.where(labels == 0, 255, labels - 1)
    assert np.array_equal(sample.truth.gt_sem_seg.data[0].numpy(), wanted)


def test_images__ade20k_and_nyu__come_without_augmentation(tmp_path):
    write_ade20k(tmp_path / 'ade')
    write_nyu(tmp_path / 'nyu')
    train, _ = splits('ade20k_512.py', tmp_path / 'ade', side=48)
    first, again = train[0], train[0]
    assert first.image.shape == (3, 48, 48)
    assert torch.equal(first.image, again.image)
    assert first.truth.gt_sem_seg.data.shape[1:] == first.truth.ori_shape
    train, val = splits('nyu.py', tmp_path / 'nyu', side=48)
    # The white frame is cut off for training, and measured without for testing.
    assert train[0].truth.gt_depth_map.data.shape == (1, 427, 565)
    assert val[0].truth.gt_depth_map.data.shape == (1, 480, 640)


def test_images__voc_of_two_parts__are_those_of_both(tmp_path):
    write_voc2012(tmp_path)
    places = ('train_dataloader.dataset.datasets.0', 'val_dataloader.dataset')
    options = [
        f'{place}.data_root={tmp_path}'
        for place in (*places, 'train_dataloader.dataset.datasets.1')
    ]
    cfg = load_data_config(DATASETS / 'voc2012_448.py', data_root=None, options=options)
    train, val = load_splits(cfg, 'mmseg', 32, (None, None))
    parts = cfg.train_dataloader.dataset.datasets
    lists = [(tmp_path / part.ann_file).read_text().split() for part in parts]
    assert len(train) == sum(map(len, lists)) > len(lists[0]) > 0
    assert train[len(train) - 1].image.shape == (3, 32, 32)
    before = train.identity(), val.identity()
    mask = tmp_path / 'SegmentationClassAug' / f'{lists[1][0]}.png'
    mask.write_bytes(mask.read_bytes() + b'more')
    again = load_splits(cfg, 'mmseg', 32, (None, None))
    assert again[0].identity() != before[0]
    assert again[1].identity() == before[1]


def test_limits__fewer_images__are_evenly_spaced(scenes):
    train, _ = splits('demo_semantic.py', scenes, limits=(2, None))
    paths = [os.path.basename(train[n].truth.img_path) for n in range(len(train))]
    assert paths == ['000000.jpg', '000002.jpg']
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(3, 5) == [0, 1, 2]


def test_to_square__half_the_size__is_the_mean_of_what_it_covers():
    image = torch.arange(16.0).view(1, 4, 4).expand(3, 4, 4).to(torch.uint8)
    assert torch.equal(to_square(image, 4), image)
    flat = torch.full((3, 40, 24), 7, dtype=torch.uint8)
    assert torch.equal(to_square(flat, 16), torch.full((3, 16, 16), 7).byte())
    stripes = torch.zeros(3, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 200
    # Without antialiasing every pixel would be 0, 100 or 200.
    assert (to_square(stripes, 16).int() - 100).abs().max() <= 10


def test_fingerprint__file_size_or_limit_that_changes__changes_it(scenes):
    images = splits('demo_semantic.py', scenes)[0]
    same = splits('demo_semantic.py', scenes)[0]
    assert images.fingerprint() == same.fingerprint()
    others = [
        splits('demo_semantic.py', scenes, side=32)[0],
        splits('demo_semantic.py', scenes, limits=(4, None))[0],
        splits('demo_semantic.py', scenes)[1],
        splits('demo_depth.py', scenes)[0],
    ]
    before = {images.fingerprint(), *(other.fingerprint() for other in others)}
    os.utime(scenes / 'images' / 'training' / '000004.jpg', ns=(1, 1))
    assert len(before | {images.fingerprint()}) == 6


def test_load_data_config__no_data_or_no_data_config__says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match='make the demo data with `pe-mm demo'):
        splits('demo_semantic.py', tmp_path / 'demo')
    (tmp_path / 'model.py').write_text('model = dict()')
    with pytest.raises(ValueError, match='has no train_dataloader, val_dataloader, va'):
        load_data_config(tmp_path / 'model.py', data_root=None, options=[])


def test_images__wrapped_data_set_of_boxes__is_taken_out_and_has_no_masks(scenes):
    cfg = Config.fromfile(DATASETS / 'demo_instance.py').train_dataloader
    cfg.dataset.data_root = str(scenes)
    wrapped = dict(dataset=dict(type='RepeatDataset', times=3, dataset=cfg.dataset))
    images = ConfigImages(wrapped, scope='mmdet', side=None, limit=None)
    with (scenes / 'annotations' / 'instances_training.json').open() as file:
        pictures = json.load(file)['images']
    assert len(images) == len(pictures)
    truth = images[0].truth.gt_instances
    assert 'masks' not in truth
    assert images[0].image.shape == (3, 64, 64)
