"""Patch kernels of another size, in both ways."""

import pytest
import torch

from helpers import golden, golden_variant
from pe_mm import PerceptionEncoder
from pe_mm.checkpoints import load_encoder_weights
from pe_mm.checkpoints.patch_kernel import (
    KERNEL,
    RESAMPLINGS,
    check_resampling,
    resample_patch_kernel,
)


def resample(kernel, size, method):
    tensors = {KERNEL: kernel}
    wanted = {KERNEL: torch.empty(*kernel.shape[:2], size, size)}
    return resample_patch_kernel(tensors, wanted, method), tensors[KERNEL]


def cubic(distance):
    """Return the weight of bicubic interpolation (a = -0.75, as torch has it)."""
    d, a = abs(distance), -0.75
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def cubic_matrix(old, new):
    matrix = torch.zeros(new, old, dtype=torch.float64)
    for i in range(new):
        centre = (i + 0.5) * old / new - 0.5
        first = int(centre // 1) - 1
        for j in range(first, first + 4):
            matrix[i, min(max(j, 0), old - 1)] += cubic(centre - j)
    return matrix


def test_resample__bicubic__is_the_formula_without_antialias_and_compensation():
    kernel = torch.randn(5, 3, 14, 14, generator=torch.Generator().manual_seed(0))

    done, result = resample(kernel, 16, 'bicubic')

    matrix = cubic_matrix(14, 16)
    expected = matrix @ kernel.double() @ matrix.T
    assert done == {KERNEL: 'patch kernel resampled from 14x14 to 16x16'}
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=1e-5)


def test_resample__uniform_image__grows_with_the_area_or_not():
    kernel = torch.rand(4, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    before = kernel.sum((1, 2, 3))

    sums = {
        method: resample(kernel, 16, method)[1].sum((1, 2, 3)) / before
        for method in RESAMPLINGS
    }

    assert sums['bicubic'] == pytest.approx((16 / 14) ** 2, rel=0.02)
    assert sums['pseudo_inverse'] == pytest.approx(1, rel=0.02)


def test_resample__own_size__leaves_the_kernel():
    kernel = torch.rand(4, 3, 16, 16)

    done, result = resample(kernel, 16, 'bicubic')

    assert done == {}
    assert result is kernel


def test_load__encoder_asks_for_bicubic__gets_it():
    config, weights, _ = golden('spatial_nocls_layerscale')
    variant = golden_variant(config)
    size = variant['patch_size'] + 2

    encoder = PerceptionEncoder(variant, patch_size=size, patch_resampling='bicubic')
    load_encoder_weights(encoder, weights)

    matrix = cubic_matrix(size - 2, size)
    expected = matrix @ weights['conv1.weight'].double() @ matrix.T
    torch.testing.assert_close(
        encoder.patch_embed.proj.weight.double(), expected, rtol=0, atol=1e-5
    )


def test_check_resampling__unknown_word__names_the_allowed():
    with pytest.raises(ValueError, match=r"one of \('pseudo_inverse', 'bicubic'\)"):
        check_resampling('nearest')
