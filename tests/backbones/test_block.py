"""The block against timm's, with gradients and without, with windows and without."""

import pytest
import torch
import torch.nn.functional as F
from timm.layers import build_rotary_pos_embed
from timm.models.eva import EvaBlock

from pe_mm.backbones.block import Block, attend
from pe_mm.backbones.position import rope_table
from pe_mm.backbones.windows import Windows
from pe_mm.variants import Variant

SMALL = Variant(depth=1, width=16, heads=2)


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
    block = Block(SMALL, drop_path=1 - 1e-9).train()
    x = torch.randn(2, 4, 16)
    assert torch.equal(block(x, rope_table((2, 2), 8, class_token=False)), x)
    block.eval()
    assert not torch.equal(block(x, rope_table((2, 2), 8, class_token=False)), x)


@pytest.mark.parametrize('grad', [False, True])
def test_block__windows_that_divide__attends_in_each_alone(grad) -> None:
    block, rope = Block(SMALL), rope_table((2, 2), 8, class_token=False)
    windows = Windows(2, (4, 6))
    split = windows.split(torch.randn(2, 24, 16))
    kept = split.clone()
    with torch.set_grad_enabled(grad):
        out = block(split, rope, windows)
        alone = torch.cat([block(window[None], rope) for window in split])
    torch.testing.assert_close(out, alone, rtol=1e-5, atol=1e-6)
    assert torch.equal(split, kept)


@pytest.mark.parametrize('grad', [False, True])
def test_attention__windows_that_need_padding__sees_zero_tokens_there(grad) -> None:
    attention, windows = Block(SMALL).attn, Windows(3, (4, 3))
    torch.nn.init.normal_(attention.qkv.bias)
    rope = rope_table((3, 3), 8, class_token=False)
    x = torch.randn(1, 12, 16)
    padded = F.pad(x.unflatten(1, (4, 3)), (0, 0, 0, 0, 0, 2))
    with torch.set_grad_enabled(grad):
        out = attention(x, rope, windows)
        upper = attention(padded[:, :3].flatten(1, 2), rope)
        lower = attention(padded[:, 3:].flatten(1, 2), rope)
    wanted = torch.cat([upper, lower], dim=1)[:, :12]
    torch.testing.assert_close(out, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(('size', 'grid'), [(2, (4, 4)), (3, (4, 4))])
def test_drop_path__windows__is_one_draw_for_an_image(size, grid) -> None:
    block = Block(SMALL, drop_path=0.5)
    torch.nn.init.zeros_(block.mlp.fc2.weight)
    torch.nn.init.zeros_(block.mlp.fc2.bias)
    windows, rope = Windows(size, grid), rope_table((size, size), 8, class_token=False)
    x = torch.randn(16, 16, 16)
    split = windows.split(x)
    added = windows.join(block.eval()(split, rope, windows)) - x
    dropped = windows.join(block.train()(split, rope, windows)) - x
    drawn = 0
    for whole, left in zip(added, dropped, strict=True):
        kept = bool(left.any())
        # What is kept counts for what is not.
        torch.testing.assert_close(left, 2 * kept * whole, rtol=1e-4, atol=1e-5)
        drawn += kept
    assert 0 < drawn < 16


@pytest.mark.parametrize(
    ('training', 'dtype'), [(True, torch.float32), (False, torch.bfloat16)]
)
def test_attend__autocast_on_cpu__is_left_only_for_training(training, dtype) -> None:
    q, k, v = torch.randn(3, 1, 2, 5, 8).bfloat16()
    wanted = F.scaled_dot_product_attention(q.float(), k.float(), v.float())

    with torch.autocast('cpu', torch.bfloat16), torch.set_grad_enabled(training):
        attended = attend(q, k, v)

    assert attended.dtype == dtype
    torch.testing.assert_close(attended.float(), wanted, rtol=0.02, atol=0.02)
