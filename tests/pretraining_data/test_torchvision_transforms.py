"""Torchvision's transforms, found by name, keep frames and maps together."""

import pytest
import torch
from mmengine.registry import TRANSFORMS
from mmengine.structures import BaseDataElement

from pe_mm.pretraining_data import TorchvisionTransforms

CROP = {'type': 'RandomResizedCrop', 'size': 8, 'scale': (0.1, 0.5)}
NEAREST = {**CROP, 'interpolation': 'nearest'}


def coordinates(frames=None):
    """An image whose red and green say where a pixel is, and a map that says it too."""
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing='ij')
    image = torch.stack([rows, columns, rows * 0]).to(torch.uint8)
    if frames:
        image = image.expand(frames, -1, -1, -1).contiguous()
    sample = BaseDataElement(metainfo={'sample_id': 'a'})
    sample.instance_map = 16 * rows + columns
    return {'inputs': image, 'data_samples': sample}


def test_transforms__crop_of_image_and_map__stay_together():
    apply = TRANSFORMS.build(
        {'type': 'pe_mm.TorchvisionTransforms', 'transforms': [NEAREST]}
    )

    item = apply(coordinates())

    image, ids = item['inputs'].long(), item['data_samples'].instance_map
    assert type(image) is type(ids) is torch.Tensor
    assert ids.dtype == torch.int64
    assert torch.equal(16 * image[0] + image[1], ids)
    assert image[0].max() - image[0].min() < 15


def test_transforms__clip__crops_and_colours_all_frames_alike():
    jitter = {'type': 'ColorJitter', 'brightness': 0.5, 'saturation': 0.5}
    flip = {'type': 'RandomHorizontalFlip', 'p': 0.5}

    clip = TorchvisionTransforms([CROP, jitter, flip])(coordinates(frames=3))['inputs']

    assert clip.shape == (3, 3, 8, 8)
    assert torch.equal(clip[0], clip[1]) and torch.equal(clip[0], clip[2])


def test_transforms__same_random_state__gives_the_same_crop():
    apply = TorchvisionTransforms([CROP])
    crops = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        crops.append(apply(coordinates())['inputs'])

    assert torch.equal(crops[0], crops[1])
    assert not torch.equal(crops[0], crops[2])


def test_transforms__jitter__changes_no_ids():
    jitter = {'type': 'ColorJitter', 'brightness': (2.0, 2.0)}
    before = coordinates()['data_samples'].instance_map

    item = TorchvisionTransforms([jitter])(coordinates())

    assert torch.equal(item['data_samples'].instance_map, before)
    assert torch.equal(item['inputs'], 2 * coordinates()['inputs'])


def test_transforms__nested__are_built_by_name_too():
    flip = {'type': 'RandomHorizontalFlip', 'p': 1.0}
    nested = {'type': 'RandomApply', 'transforms': [flip], 'p': 1.0}

    image = TorchvisionTransforms([nested])(coordinates())['inputs']

    assert torch.equal(image, coordinates()['inputs'].flip(-1))


@pytest.mark.parametrize(
    ('transform', 'message'),
    [
        ({'type': 'RandomResizeCrop'}, "no transform 'RandomResizeCrop'; did you mean"),
        ({'type': 'InterpolationMode'}, "no transform 'InterpolationMode'"),
        ({'type': 'Resize', 'sice': 4}, r"made of \{'sice': 4\}: .*it takes \(size"),
        ({**CROP, 'interpolation': 'cubic'}, "one of .*'bicubic'.*, got 'cubic'"),
        ('Resize', "must be a dict such as .* got 'Resize'"),
    ],
)
def test_transforms__bad_transform__is_one_message(transform, message):
    with pytest.raises(ValueError, match=message):
        TorchvisionTransforms([transform])
