"""Which variant the shapes of weights belong to."""

from dataclasses import replace

import pytest
import torch

from pe_mm.backbones import PerceptionEncoder
from pe_mm.checkpoints.architecture import (
    Architecture,
    block_of,
    count_blocks,
    has_spare_row,
)
from pe_mm.variants import VARIANTS


def test_variants__every_official_one__is_told_by_its_weights() -> None:
    for name, variant in VARIANTS.items():
        with torch.device('meta'):
            weights = PerceptionEncoder(variant).state_dict()
        told = Architecture.of_weights(weights)
        assert told == Architecture.of_variant(variant)
        same = {name.removesuffix('-Tiling'), name.removesuffix('-Tiling') + '-Tiling'}
        assert set(told.variants()) == same & set(VARIANTS)


def test_of_weights__names_of_another_model__is_none() -> None:
    assert Architecture.of_weights({'fc.weight': torch.zeros(1)}) is None


@pytest.mark.parametrize('rows', [0, 1])
def test_of_weights__no_position_left_beside_the_class_token__is_none(rows) -> None:
    with torch.device('meta'):
        weights = PerceptionEncoder('PE-Core-T16-384').state_dict()
        weights['pos_embed'] = torch.zeros(1, rows, 192)
    assert Architecture.of_weights(weights) is None


@pytest.mark.parametrize('rows', [1024, 1025])
def test_of_weights__row_of_a_token_that_is_not_there__is_no_position(rows) -> None:
    with torch.device('meta'):
        weights = PerceptionEncoder('PE-Spatial-G14-448').state_dict()
        weights['pos_embed'] = torch.zeros(1, rows, 1536)
    architecture = Architecture.of_weights(weights)
    assert architecture == Architecture.of_variant(VARIANTS['PE-Spatial-G14-448'])


def test_of_weights__windowed_encoder__is_its_variant_without_the_token() -> None:
    with torch.device('meta'):
        weights = PerceptionEncoder('PE-Spatial-B16-512', window_size=16).state_dict()
    variant = Architecture.of_variant(VARIANTS['PE-Spatial-B16-512'])
    assert Architecture.of_weights(weights) == replace(variant, class_token=False)


def test_has_spare_row__numbers__are_squares_and_one() -> None:
    found = [rows for rows in range(30) if has_spare_row(rows)]
    assert found == [2, 5, 10, 17, 26]
    assert has_spare_row(1025)
    assert not has_spare_row(1024)


def test_description__nocls_giant__names_what_differs_between_variants() -> None:
    text = str(Architecture.of_variant(VARIANTS['PE-Spatial-G14-448']))
    assert text == (
        'width 1536, 50 blocks, patch 14, 32x32 positions, '
        'no class token, with LayerScale'
    )


def test_count_blocks__gaps__counts_to_the_highest() -> None:
    tensor = torch.zeros(1)
    assert count_blocks({'blocks.0.gamma_1': tensor, 'blocks.11.gamma_1': tensor}) == 12
    assert count_blocks({'norm.weight': tensor}) == 0
    assert block_of('blocks.3.gamma_1') == 3
    assert block_of('attn_pool.blocks.3.x') is None
    assert block_of(f'blocks.{"9" * 5000}.gamma_1') is None
