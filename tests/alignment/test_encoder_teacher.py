"""A frozen encoder on another one's grid, and images in its own normalisation."""

import pytest
import torch
import torch.nn.functional as F
from alignment_models import TEACHER, encoder

from pe_mm.alignment import EncoderTeacher, SceneMaskTeacher
from pe_mm.alignment.encoder_teacher import renormalize


class SceneMaskWithFreeze(SceneMaskTeacher):
    def __init__(self, freeze):
        super().__init__()


def teacher(grid='same', **changes):
    return EncoderTeacher(encoder({**TEACHER, **changes}), grid)


def test_same_grid__tokens__are_those_of_the_layer_row_by_row():
    frozen = teacher()
    image = torch.randn(2, 3, 32, 16)

    tokens = frozen(image, None, (4, 2))

    torch.testing.assert_close(tokens, frozen.encoder(image)[0].flatten(2).mT)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert not frozen.encoder.training


def test_resize_image__other_patch__sees_as_many_patches():
    frozen = teacher('resize_image', patch_size=4, image_size=16)
    image = torch.randn(1, 3, 32, 32)
    small = F.interpolate(image, (16, 16), mode='bilinear', antialias=True)

    tokens = frozen(image, None, (4, 4))

    torch.testing.assert_close(tokens, frozen.encoder(small)[0].flatten(2).mT)


def test_resize_features__other_patch__are_interpolated():
    frozen = teacher('resize_features', patch_size=4)
    image = torch.randn(1, 3, 32, 32)

    tokens = frozen(image, None, (4, 4))

    features = F.interpolate(frozen.encoder(image)[0], (4, 4), mode='bilinear')
    torch.testing.assert_close(tokens, features.flatten(2).mT)


def test_other_grid__same__names_both_grids_and_the_options():
    image = torch.zeros(1, 3, 32, 32)

    with pytest.raises(ValueError, match=r"\(8, 8\), the student's \(4, 4\).*resize_"):
        teacher(patch_size=4)(image, None, (4, 4))
    with pytest.raises(ValueError, match="multiple of the teacher's patch of 5 px"):
        teacher('resize_features', patch_size=5, image_size=25)(image, None, (4, 4))


def test_options__impossible__say_what_is_allowed():
    with pytest.raises(ValueError, match="teacher_grid must be one of .*got 'any'"):
        teacher('any')
    with pytest.raises(ValueError, match='the teacher must return one map'):
        EncoderTeacher(encoder(TEACHER, output_class_token=True))
    with pytest.raises(ValueError, match='TimmEncoder, got SceneMaskWithFreeze'):
        EncoderTeacher({'type': SceneMaskWithFreeze})


def test_renormalize__other_statistics__equals_normalising_the_picture():
    picture = torch.rand(1, 3, 4, 4) * 255
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

    changed = renormalize((picture - 127.5) / 127.5, mean, std)

    columns = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))
    wanted_mean, wanted_std = columns
    torch.testing.assert_close(changed, (picture - wanted_mean) / wanted_std)
    same = torch.rand(1, 3, 4, 4)
    assert renormalize(same, [127.5] * 3, [127.5] * 3) is same
