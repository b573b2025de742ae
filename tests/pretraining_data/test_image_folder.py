"""Images below a folder, and the ids that belong to their pixels."""

import numpy as np
import pytest
import torch
from PIL import Image
from pretraining_samples import number_of

from pe_mm.pretraining_data import ImageFolder


@pytest.fixture
def folder(write_image, tmp_path):
    """Two images, and panoptic ids of their size."""
    for number, name in enumerate(('b/0.jpg', 'a.png')):
        write_image(f'images/{name}', number)
    (tmp_path / 'ids/b').mkdir(parents=True)
    for name in ('ids/b/0.png', 'ids/a.png'):
        ids = np.zeros((8, 10, 3), np.uint8)
        ids[:, 5:] = (1, 2, 3)
        Image.fromarray(ids).save(tmp_path / name)
    write_image('images/.hidden/c.png')
    return {'data_root': str(tmp_path / 'images')}


def test_image_folder__images__come_by_name_without_texts(folder):
    dataset = ImageFolder(**folder)

    samples = [dataset[index]['data_samples'] for index in range(len(dataset))]
    assert [sample.sample_id for sample in samples] == ['a.png', 'b/0.jpg']
    assert number_of(dataset[0]) == 1
    assert all('caption' not in s and 'instance_map' not in s for s in samples)


def test_image_folder__instance_maps__are_cropped_with_the_image(folder, tmp_path):
    crop = {'type': 'CenterCrop', 'size': (8, 4)}
    dataset = ImageFolder(
        **folder,
        instance_maps=str(tmp_path / 'ids'),
        pipeline=[{'type': 'pe_mm.TorchvisionTransforms', 'transforms': [crop]}],
    )

    ids = dataset[1]['data_samples'].instance_map
    assert ids.dtype == torch.int32
    assert ids.tolist() == [[0, 0, *[1 + 2 * 256 + 3 * 65536] * 2]] * 8


def test_image_folder__grey_ids__are_taken_as_they_are(folder, tmp_path):
    ids = np.full((8, 10), 40000, np.uint16)
    Image.fromarray(ids).save(tmp_path / 'ids/a.png')

    dataset = ImageFolder(**folder, instance_maps=str(tmp_path / 'ids'))

    assert dataset[0]['data_samples'].instance_map.unique().tolist() == [40000]


def test_image_folder__map_of_another_size__is_skipped(folder, tmp_path):
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / 'ids/a.png')
    dataset = ImageFolder(**folder, instance_maps=str(tmp_path / 'ids'))

    assert dataset[0]['data_samples'].sample_id == 'b/0.jpg'
    assert dataset.skipped == 1


def test_image_folder__missing_map__is_named_at_once(folder, tmp_path):
    (tmp_path / 'ids/b/0.png').unlink()

    with pytest.raises(FileNotFoundError, match=r'1 of 2 images have no map .*b/0.png'):
        ImageFolder(**folder, instance_maps=str(tmp_path / 'ids'))


def test_image_folder__nothing_there__says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no does not exist'):
        ImageFolder(str(tmp_path / 'no'))
    with pytest.raises(FileNotFoundError, match=r'has no images'):
        ImageFolder(str(tmp_path))


def test_image_folder__cache__reads_each_file_once(folder, tmp_path):
    maps = str(tmp_path / 'ids')
    kept = ImageFolder(**folder, instance_maps=maps, cache=True)
    read = ImageFolder(**folder, instance_maps=maps)
    first = kept[1]
    for path in (tmp_path / 'images/b/0.jpg', tmp_path / 'ids/b/0.png'):
        path.unlink()

    again = kept[1]

    assert torch.equal(again['inputs'], first['inputs'])
    maps = [item['data_samples'].instance_map for item in (first, again)]
    assert torch.equal(*maps)
    assert again['data_samples'] is not first['data_samples']
    assert read[1]['data_samples'].sample_id == 'a.png'
