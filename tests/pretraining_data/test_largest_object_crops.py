"""One class per image, in the form that classification metrics take."""

from types import SimpleNamespace

import pytest
import torch

from pe_mm.pretraining_data import LargestObjectCrops
from pe_mm.probing import class_images
from pe_mm.probing.probe_task import Sample


class Objects:
    """Two squares of the classes 3 and 1."""

    classes = ['ball', 'cube', 'cone', 'ring']

    def __init__(self, cfg, *, side, limit):
        self.wanted = SimpleNamespace(cfg=cfg, side=side, limit=limit)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        side = self.wanted.side
        image = torch.full((3, side, side), index, dtype=torch.uint8)
        return Sample(index, image, [3, 1][index])

    def path(self, index):
        return f'{index}.jpg'


@pytest.fixture
def crops(monkeypatch):
    monkeypatch.setattr(class_images, 'LargestObjects', Objects)
    flip = {'type': 'RandomHorizontalFlip', 'p': 1.0}
    pipeline = [{'type': 'pe_mm.TorchvisionTransforms', 'transforms': [flip]}]
    return LargestObjectCrops({'type': 'CocoDataset'}, side=4, pipeline=pipeline)


def test_crops__items__have_label_and_id(crops):
    items = [crops[index] for index in range(len(crops))]

    assert [item['data_samples'].label for item in items] == [3, 1]
    assert [item['data_samples'].sample_id for item in items] == ['0.jpg', '1.jpg']
    assert items[1]['inputs'].eq(1).all() and items[1]['inputs'].shape == (3, 4, 4)


def test_crops__dataset__passes_on_what_the_sweep_takes(crops):
    wanted = crops._objects.wanted

    assert wanted.cfg == {'dataset': {'type': 'CocoDataset'}}
    assert (wanted.side, wanted.limit) == (4, None)
    assert crops.metainfo == {'classes': ('ball', 'cube', 'cone', 'ring')}
