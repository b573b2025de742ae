"""The block against timm's, with gradients and without."""

import pytest
import torch
from timm.layers import build_rotary_pos_embed
from timm.models.eva import EvaBlock

from pe_mm.backbones.block import Block
from pe_mm.backbones.position import rope_table
from pe_mm.variants import Variant


@pytest.mark.parametrize('layer_scale', [None, 0.3])
@pytest.mark.parametrize('grad', [False, True])
def test_block__same_weights__equals_timms(layer_scale, grad) -> None:
    variant = Variant(depth=1, width=48, heads=3, layer_scale=layer_scale)
    ours = Block(variant)
    theirs = EvaBlock(
        48, 3, attn_type='rope', init_values=layer_scale, num_prefix_tokens=1
    )
    theirs.load_state_dict(ours.state_dict())
    theirs.norm1.eps = theirs.norm2.eps = 1e-5
    x = torch.randn(2, 13, 48)
    kept = x.clone()
    sin, cos = build_rotary_pos_embed(
        [3, 4], dim=16, in_pixels=False, grid_offset=1.0, grid_indexing='xy'
    )
    with torch.set_grad_enabled(grad):
        out = ours(x, rope_table((3, 4), 16, class_token=True))
        wanted = theirs(x, rope=torch.cat([sin, cos], -1))
    torch.testing.assert_close(out, wanted, rtol=1e-5, atol=1e-5)
    assert torch.equal(x, kept), 'the input is another output of the encoder'


def test_block__drop_path_of_nearly_one__passes_the_input_through() -> None:
    block = Block(Variant(depth=1, width=16, heads=2), drop_path=1 - 1e-9).train()
    x = torch.randn(2, 4, 16)
    assert torch.equal(block(x, rope_table((2, 2), 8, class_token=False)), x)
    block.eval()
    assert not torch.equal(block(x, rope_table((2, 2), 8, class_token=False)), x)
