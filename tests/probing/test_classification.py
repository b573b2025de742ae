"""k nearest neighbours and the linear classifier, and the images that they take."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from probing_sweeps import colour_task
from seeded_models import CONFIGS

from pe_mm.probing.classification import (
    Accuracy,
    KNNTask,
    NearestNeighbours,
    folder_splits,
    object_splits,
)
from pe_mm.probing.config_images import load_data_config
from pe_mm.probing.probe_task import Sample


def test_neighbours__votes__are_those_of_a_naive_loop():
    torch.manual_seed(0)
    task = colour_task(KNNTask)
    probe = NearestNeighbours(50, 6, 3)
    bank = torch.randn(50, 6, 2, 2)
    classes = torch.randint(0, 3, (50,))
    for part in (slice(0, 30), slice(30, 50)):
        index = torch.arange(50)[part]
        task.loss(probe, bank[part], {'index': index, 'class': classes[part]})
    queries = torch.randn(4, 6, 2, 2)
    votes = probe(queries)
    for query, row in zip(queries.mean((2, 3)), votes, strict=True):
        cosines = F.cosine_similarity(query[None], bank.mean((2, 3)))
        wanted = torch.zeros(3)
        for number in cosines.argsort(descending=True)[:20]:
            wanted[classes[number]] += (cosines[number] / 0.07).exp()
        # Remembered embeddings are in half precision.
        torch.testing.assert_close(row, wanted, rtol=0.02, atol=1e-3)


def test_accuracy__three_of_four__is_75():
    metric = Accuracy()
    samples = [Sample(n, torch.zeros(0), n % 2) for n in range(4)]
    logits = F.one_hot(torch.tensor([0, 1, 0, 0]))
    metric.add(lambda features: logits, torch.zeros(0), samples)
    assert metric.compute() == 75


def write_folders(root, classes=('cat', 'dog'), splits=('train', 'val'), count=2):
    for split in splits:
        for number, name in enumerate(classes):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                picture = np.full((20, 30, 3), (0, 0, 100 * number + index), np.uint8)
                cv2.imwrite(str(folder / f'{index}.png'), picture)


def test_folders__images_of_a_class_each__are_rgb_squares(tmp_path):
    write_folders(tmp_path)
    train, val, count = folder_splits(tmp_path, 16, (3, None))
    assert (len(train), len(val), count) == (3, 4, 2)
    assert [val[n].truth for n in range(4)] == [0, 0, 1, 1]
    assert val[3].image.shape == (3, 16, 16)
    assert val[3].image[:, 0, 0].tolist() == [101, 0, 0]
    before = val.fingerprint()
    assert train.fingerprint() != before
    (tmp_path / 'val' / 'dog' / '0.png').write_bytes(b'')
    assert val.fingerprint() != before


def test_folders__missing_split_or_class__is_an_error(tmp_path):
    write_folders(tmp_path, splits=('train',))
    with pytest.raises(FileNotFoundError, match='val does not exist; images for class'):
        folder_splits(tmp_path, 16, (None, None))
    write_folders(tmp_path, splits=('val',), classes=('cat',))
    with pytest.raises(FileNotFoundError, match=r'val/dog has no images; every class'):
        folder_splits(tmp_path, 16, (None, None))


def test_objects__scenes__are_cut_to_the_largest_object(scenes):
    path = CONFIGS / '_base_' / 'datasets' / 'demo_instance.py'
    cfg = load_data_config(path, data_root=scenes, options=[])
    train, val, count = object_splits(cfg, 32, (None, 2))
    assert (len(val), count) == (2, 12)
    sample = train[0]
    dataset = train._scenes.dataset
    instances = dataset.get_data_info(0)['instances']
    areas = [
        (i['bbox'][2] - i['bbox'][0]) * (i['bbox'][3] - i['bbox'][1]) for i in instances
    ]
    largest = instances[int(np.argmax(areas))]
    assert sample.truth == largest['bbox_label']
    assert sample.image.shape == (3, 32, 32)
    left, top, right, bottom = largest['bbox']
    half = 0.6 * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    picture = cv2.imread(str(scenes / 'images' / 'training' / '000000.jpg'))
    rows = slice(max(0, round(y - half)), round(y + half))
    cut = picture[rows, max(0, round(x - half)) : round(x + half)]
    mean = torch.tensor(cut[..., ::-1].mean((0, 1)))
    torch.testing.assert_close(
        sample.image.double().mean((1, 2)), mean, rtol=0, atol=2.0
    )
