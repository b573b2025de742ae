"""Random weights have the scale that timm's EVA models start from."""

import pytest
import torch

from pe_mm import PerceptionEncoder
from pe_mm.backbones.initialization import initialize

WIDE = dict(depth=3, width=128, heads=4, patch_size=8, image_size=64)


def test_initialize__linear_layers__shrink_what_a_block_adds_with_its_depth() -> None:
    encoder = PerceptionEncoder(WIDE)
    for index, block in enumerate(encoder.blocks):
        shrunk = 0.02 / (2.0 * (index + 1)) ** 0.5
        for linear, std in (
            (block.attn.qkv, 0.02),
            (block.attn.proj, shrunk),
            (block.mlp.fc1, 0.02),
            (block.mlp.fc2, shrunk),
        ):
            assert linear.weight.std().item() == pytest.approx(std, rel=0.05)
            assert abs(linear.weight.mean().item()) < 0.05 * std
            assert not linear.bias.any()


@pytest.mark.parametrize('window_size', [None, 4])
def test_initialize__embeddings__are_small_and_not_zero(window_size) -> None:
    encoder = PerceptionEncoder(WIDE, window_size=window_size)
    assert encoder.pos_embed.std().item() == pytest.approx(0.02, rel=0.05)
    if window_size is None:
        assert encoder.cls_token.std().item() == pytest.approx(0.02, rel=0.3)


def test_initialize__norms_and_layer_scale__start_where_they_should() -> None:
    encoder = PerceptionEncoder(WIDE | dict(layer_scale=0.1))
    for block in encoder.blocks:
        assert (block.norm1.weight == 1).all()
        assert (block.gamma_1 == 0.1).all()
        assert (block.gamma_2 == 0.1).all()


def test_initialize__pooling__keeps_the_scale_of_a_single_layer() -> None:
    variant = WIDE | dict(pool='attn', final_norm=True, embed_dim=64)
    encoder = PerceptionEncoder(variant, with_pooling=True)
    for linear in (encoder.head, encoder.attn_pool.proj, encoder.attn_pool.mlp.fc2):
        assert linear.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_initialize__same_seed__gives_the_same_bits() -> None:
    encoder = PerceptionEncoder(WIDE)
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        initialize(encoder)
        states.append([p.detach().clone() for p in encoder.parameters()])
    assert all(map(torch.equal, *states))
