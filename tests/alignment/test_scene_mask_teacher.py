"""Which tokens belong together, told from an instance map, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from alignment_models import scenes
from mmengine.structures import BaseDataElement

from pe_mm.alignment import SceneMaskTeacher


def cosines(features):
    unit = F.normalize(features, dim=-1)
    return unit @ unit.mT


def test_share__whole_tokens__are_similar_exactly_within_an_instance():
    images, samples = scenes(4)

    features = SceneMaskTeacher()(images, samples, (4, 4))

    ids = torch.stack([s.instance_map[::8, ::8].flatten() for s in samples])
    same = (ids[:, :, None] == ids[:, None]).float()
    assert features.shape == (4, 16, 2)
    torch.testing.assert_close(cosines(features), same)


def test_share__token_on_a_border__is_between_both():
    instance_map = torch.zeros(8, 16, dtype=torch.int64)
    instance_map[:, 6:] = 3  # A quarter of the first token.
    sample = BaseDataElement(instance_map=instance_map)

    features = SceneMaskTeacher()(torch.zeros(1, 3, 8, 16), [sample], (1, 2))

    torch.testing.assert_close(features[0], torch.tensor([[0.75, 0.25], [0.0, 1.0]]))


def test_signed__cosines__equal_those_of_a_mask_for_every_pixel():
    _, samples = scenes(1)
    instance_map = samples[0].instance_map
    instance_map[0, 0] = 9  # A third instance, a single pixel.
    pixels = instance_map.flatten()
    masks = 2.0 * (pixels[:, None] == pixels[None]) - 1  # (prompt, pixel)
    tokens = F.avg_pool2d(masks.view(-1, 1, 32, 32), 8).flatten(1).T

    features = SceneMaskTeacher('signed')(torch.zeros(1, 3, 32, 32), samples, (4, 4))

    torch.testing.assert_close(cosines(features)[0], cosines(tokens))


def test_batch__different_numbers_of_instances__equals_single_images():
    images, samples = scenes(2)
    samples[1].instance_map[:8, 24:] = 4
    teacher = SceneMaskTeacher()

    both = teacher(images, samples, (4, 4))

    assert both.shape[-1] == 3
    for index in range(2):
        single = teacher(images[index : index + 1], samples[index : index + 1], (4, 4))
        torch.testing.assert_close(cosines(both)[index], cosines(single)[0])


def test_instance_map__missing_or_unfit__says_what_is_needed():
    teacher, image = SceneMaskTeacher(), torch.zeros(1, 3, 32, 32)

    for samples in (None, [BaseDataElement()]):
        with pytest.raises(ValueError, match='needs instance_map.*got NoneType.*Sam'):
            teacher(image, samples, (4, 4))
    for unfit in (torch.zeros(16, 16, dtype=torch.int64), torch.zeros(32, 32)):
        with pytest.raises(ValueError, match=r'must be \(32, 32\) integers'):
            teacher(image, [BaseDataElement(instance_map=unfit)], (4, 4))
    with pytest.raises(ValueError, match=r"\('share', 'signed'\), got 'hard'"):
        SceneMaskTeacher('hard')
