"""Features on disk: computed once, by image and grid, anew for a changed image."""

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement

from pe_mm.alignment.feature_cache import FeatureCache
from pe_mm.checkpoints import CheckpointError

SAMPLE = BaseDataElement(metainfo={'sample_id': 'a/b.jpg'})


def never():
    raise AssertionError('computed again')


def test_get__second_time__reads_what_was_computed(tmp_path):
    image, features = torch.rand(3, 32, 32) * 2 - 1, torch.randn(16, 5)

    first = FeatureCache(tmp_path, 'teacher').get(
        image, SAMPLE, (4, 4), lambda: features
    )
    again = FeatureCache(tmp_path, 'teacher').get(image, SAMPLE, (4, 4), never)

    assert torch.equal(first, again)
    assert torch.equal(first, features.half())


@pytest.mark.parametrize('other', ['teacher', 'grid', 'image size', 'sample'])
def test_get__anything_else__has_features_of_its_own(tmp_path, other):
    image = torch.zeros(3, 32, 32)
    FeatureCache(tmp_path, 'one').get(image, SAMPLE, (4, 4), lambda: torch.zeros(1, 1))

    found = FeatureCache(tmp_path, 'two' if other == 'teacher' else 'one').get(
        torch.zeros(3, 64, 64) if other == 'image size' else image,
        BaseDataElement(metainfo={'sample_id': 'b'}) if other == 'sample' else SAMPLE,
        (2, 2) if other == 'grid' else (4, 4),
        lambda: torch.ones(1, 1),
    )

    assert found.item() == 1


def test_get__changed_image__has_features_of_its_own_and_one_warning(tmp_path, capsys):
    MMLogger.get_instance('cache')
    image = torch.randint(1, 255, (3, 8, 8)) / 127.5 - 1
    one_level = image.clone()
    one_level[0, 0, 0] += 1 / 127.5
    cache = FeatureCache(tmp_path, 'teacher')

    for value, changed in enumerate((image, image.flip(-1), one_level, image)):
        found = cache.get(
            changed, SAMPLE, (4, 4), lambda value=value: torch.full((1, 1), value * 1.0)
        )
        assert found.item() == value

    assert cache.get(image, SAMPLE, (4, 4), never).item() == 3
    # Nor do errors of rounding, as of another device, make another image.
    assert cache.get(image + 1e-4, SAMPLE, (4, 4), never).item() == 3
    assert capsys.readouterr().out.count("'a/b.jpg' is another one than") == 1


def test_get__no_sample_id__says_so(tmp_path):
    with pytest.raises(ValueError, match='cache_dir needs sample_id'):
        FeatureCache(tmp_path, 't').get(
            torch.zeros(3, 8, 8), BaseDataElement(), (1, 1), never
        )


def test_get__damaged_file__is_named(tmp_path):
    cache = FeatureCache(tmp_path, 'teacher')
    cache.get(torch.zeros(3, 8, 8), SAMPLE, (1, 1), lambda: torch.zeros(1, 1))
    (path,) = tmp_path.rglob('*.safetensors')
    path.write_bytes(path.read_bytes()[:20])

    with pytest.raises(CheckpointError, match=path.name):
        cache.get(torch.zeros(3, 8, 8), SAMPLE, (1, 1), never)
