"""Batches are stacked, resized and normalised; ids travel with their images."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement

from pe_mm.pretraining_data import ImageTextPreprocessor


def item(*shape, name='a', **fields):
    image = torch.randint(0, 256, shape, dtype=torch.uint8)
    sample = BaseDataElement(metainfo={'sample_id': name, 'caption': 'A cat.'})
    sample.set_data(fields)
    return {'inputs': image, 'data_samples': sample}


def test_preprocessor__images__are_stacked_and_normalised():
    items = [item(3, 8, 10, name='a'), item(3, 8, 10, name='b')]
    build = {'type': 'pe_mm.ImageTextPreprocessor'}

    batch = MODELS.build(build)(pseudo_collate(items))

    images = torch.stack([one['inputs'] for one in items]).double()
    expected = (images - 127.5) / 127.5
    assert batch['inputs'].dtype == torch.float32
    torch.testing.assert_close(batch['inputs'].double(), expected, rtol=0, atol=1e-6)
    assert [s.sample_id for s in batch['data_samples']] == ['a', 'b']
    assert batch['data_samples'][0].caption == 'A cat.'


def test_preprocessor__mean_per_channel__is_taken_off_its_channel():
    preprocessor = ImageTextPreprocessor(mean=(0, 10, 20), std=(1, 2, 4))
    images = torch.full((3, 2, 2), 100, dtype=torch.uint8)

    batch = preprocessor({'inputs': [images], 'data_samples': None})

    assert batch['inputs'][0, :, 0, 0].tolist() == [100.0, 45.0, 20.0]
    assert batch['data_samples'] is None


def test_preprocessor__size_changed_in_between__resizes_with_antialiasing():
    items = [item(3, 12, 16), item(3, 12, 16)]
    preprocessor = ImageTextPreprocessor()
    native = preprocessor(pseudo_collate(items))['inputs']

    preprocessor.size = 8
    resized = preprocessor(pseudo_collate(items))['inputs']

    expected = F.interpolate(native, (8, 8), mode='bilinear', antialias=True)
    assert resized.shape == (2, 3, 8, 8)
    torch.testing.assert_close(resized, expected, rtol=0, atol=1e-5)


def test_preprocessor__clips__give_each_frame_what_an_image_gets():
    preprocessor = ImageTextPreprocessor(size=6)
    clips = [item(4, 3, 8, 8), item(4, 3, 8, 8)]

    batch = preprocessor(pseudo_collate(clips))['inputs']

    assert batch.shape == (2, 4, 3, 6, 6)
    frames = [{'inputs': f, 'data_samples': None} for f in clips[1]['inputs']]
    singles = preprocessor({'inputs': [f['inputs'] for f in frames]})['inputs']
    torch.testing.assert_close(batch[1], singles, rtol=0, atol=0)


def test_preprocessor__instance_map__keeps_ids_and_leaves_the_dataset_alone():
    large = 2**40 + 1
    ids = torch.zeros(8, 8, dtype=torch.int64)
    ids[:, 4:] = large
    one = item(3, 8, 8, instance_map=ids)

    batch = ImageTextPreprocessor(size=4)(pseudo_collate([one]))

    resized = batch['data_samples'][0].instance_map
    assert resized.tolist() == [[0, 0, large, large]] * 4
    assert one['data_samples'].instance_map.shape == (8, 8)


def test_preprocessor__images_of_two_sizes__names_them_and_the_remedy():
    items = [item(3, 8, 8, name='first'), item(3, 8, 9, name='second')]

    with pytest.raises(ValueError, match=r'\(second\) is \(3, 8, 9\); let the pipe'):
        ImageTextPreprocessor(size=8)(pseudo_collate(items))


def test_preprocessor__float_images__says_that_it_normalises_itself():
    with pytest.raises(ValueError, match=r'image 0 .* is torch.float32 .*Normalize'):
        ImageTextPreprocessor()({'inputs': [torch.rand(3, 4, 4)]})


def test_preprocessor__grey_images__are_refused():
    with pytest.raises(ValueError, match='has 1 channels, expected 3'):
        ImageTextPreprocessor()({'inputs': [item(1, 4, 4)['inputs']]})


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'size': 0}, 'size must be an int >= 1, got 0'),
        ({'size': 224.0}, 'size must be an int >= 1, got 224.0'),
        ({'std': (1, 0, 1)}, r'std must be positive, got \(1, 0, 1\)'),
        ({'mean': (1, 2)}, r'mean must be 1 or 3 numbers, got \(1, 2\)'),
    ],
)
def test_preprocessor__bad_argument__says_what_is_allowed(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageTextPreprocessor(**arguments)
