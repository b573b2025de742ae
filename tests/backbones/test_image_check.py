"""Images that an encoder refuses, and those that only look unusual."""

import pytest
import torch

from pe_mm.backbones.image_check import check_hidden, check_image

PATCH = 8


@pytest.mark.parametrize('shape', [(1, 3, 8, 8), (2, 3, 9, 300), (0, 3, 8, 8)])
def test_check__image_of_at_least_a_patch__is_fine(shape) -> None:
    check_image(torch.zeros(shape), torch.float32, PATCH)


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
def test_check__dtype_of_the_weights__is_fine(dtype) -> None:
    check_image(torch.zeros(1, 3, 8, 8, dtype=dtype), dtype, PATCH)


def test_check__another_float_dtype__is_fine_under_autocast_only() -> None:
    images = torch.zeros(1, 3, 8, 8, dtype=torch.bfloat16)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        check_image(images, torch.float32, PATCH)
    with pytest.raises(ValueError, match=r'bfloat16, the weights are torch\.float32'):
        check_image(images, torch.float32, PATCH)


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        ([torch.zeros(3, 32, 32)], 'must be a tensor .* got list'),
        (None, 'must be a tensor .* got NoneType'),
        (torch.zeros(1, 4, 32, 32), r'got \(1, 4, 32, 32\)'),
        (torch.zeros(3, 32, 32), r'got \(3, 32, 32\)'),
        (
            torch.zeros(1, 3, 32, 32, dtype=torch.uint8),
            r'got torch.uint8; normalise 0-255 RGB first',
        ),
        (
            torch.zeros(1, 3, 32, 32, dtype=torch.float64),
            'image is torch.float64, the weights are torch.float32',
        ),
        (torch.zeros(1, 3, 7, 32), r'7 x 32 px is smaller than a patch of 8 px'),
        (torch.zeros(1, 3, 32, 7), r'32 x 7 px is smaller than a patch of 8 px'),
    ],
)
def test_check__bad_image__says_what_is_wrong(images, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_image(images, torch.float32, PATCH)


@pytest.mark.parametrize(
    ('hidden', 'message'),
    [
        (torch.zeros(1, 2, 3, dtype=torch.bool), r'\(1, 2, 2\); got \(1, 2, 3\)'),
        (torch.zeros(1, 2, 2), 'bool tensor of .* got torch.float32'),
        ([True], 'bool tensor of .* got list'),
    ],
)
def test_check_hidden__wrong_shape_or_type__says_what_is_wanted(
    hidden, message
) -> None:
    with pytest.raises(ValueError, match=message):
        check_hidden(hidden, (1, 2, 2), torch.zeros(1, 1, 8))


def test_check_hidden__no_mask_token__says_how_to_build_one() -> None:
    with pytest.raises(ValueError, match='with_mask_token=True'):
        check_hidden(torch.zeros(1, 2, 2, dtype=torch.bool), (1, 2, 2), None)
