"""The attention that is shown is the one that the blocks compute."""

import pytest
import torch
from planted_encoder import seeded_encoder, seeded_image
from torch import nn

from pe_mm.analysis import attention_rows
from pe_mm.analysis.attention_rows import PADDING, visit_attention

# Options of the encoder, and rows and columns of patches.
CASES = {
    'class token': ({'class_token': True}, (12, 12)),
    'class token, another grid': ({'class_token': True}, (5, 9)),
    'no class token': ({}, (7, 4)),
    'layers of windows that divide': (
        {'window_size': 4, 'global_blocks': (2, 5), 'rope': 'rescale'},
        (12, 8),
    ),
    'layers of windows with padding': (
        {'window_size': 5, 'global_blocks': (3,), 'rope': 'rescale'},
        (12, 7),
    ),
    'a window larger than one side': ({'window_size': 6}, (4, 9)),
}


def attention_outputs(encoder, image):
    """Return what every block's attention gives, before the residual sum."""
    outputs = []
    handles = [
        block.attn.register_forward_hook(lambda _, __, out: outputs.append(out.clone()))
        for block in encoder.blocks
    ]
    with torch.no_grad():
        encoder(image)
    for handle in handles:
        handle.remove()
    return outputs


def rebuild(encoder, block, tokens):
    """Compute (tokens, C), the attention's output, from rows and values."""
    heads, _, channels = block.value.shape[1:]
    mixed = torch.zeros(tokens, heads, channels)
    for rows in block.rows():
        out = rows.weights @ block.value[rows.window]
        mixed[rows.queries] = out.transpose(0, 1)
    with torch.no_grad():
        return encoder.blocks[block.layer].attn.proj(mixed.flatten(1))


@pytest.mark.parametrize('limit', [2**24, 5000])
@pytest.mark.parametrize('case', CASES)
def test_rows__times_values__are_the_blocks_output(case, limit, monkeypatch):
    monkeypatch.setattr(attention_rows, '_MAX_WEIGHTS', limit)
    options, grid = CASES[case]
    encoder, image = seeded_encoder(0, **options), seeded_image(1, *grid)
    expected = attention_outputs(encoder, image)
    seen = []

    def compare(block):
        seen.append(block.layer)
        output = rebuild(encoder, block, int((block.places != PADDING).sum()))
        wanted = expected[block.layer]
        if len(wanted) > 1:
            places = block.places.flatten()
            wanted = wanted.flatten(0, 1)[places.argsort()]
        torch.testing.assert_close(output, wanted.view_as(output), rtol=1e-5, atol=1e-5)

    visit_attention(encoder, image, compare)
    assert seen == list(range(6))


@pytest.mark.parametrize('case', CASES)
def test_rows__every_token__is_a_query_once_and_its_weights_sum_to_1(case):
    options, grid = CASES[case]
    count = grid[0] * grid[1] + int(options.get('class_token', False))

    def check(block):
        queries = torch.cat([rows.queries for rows in block.rows()])
        assert queries.sort().values.tolist() == list(range(count))
        for rows in block.rows():
            torch.testing.assert_close(
                rows.weights.sum(-1), torch.ones(4, len(rows.queries))
            )

    visit_attention(seeded_encoder(0, **options), seeded_image(1, *grid), check)


def test_rows__limit__bounds_the_weights_in_memory(monkeypatch):
    monkeypatch.setattr(attention_rows, '_MAX_WEIGHTS', 4 * 144 * 7)
    sizes = []
    visit_attention(
        seeded_encoder(0),
        seeded_image(1),
        lambda block: sizes.extend(rows.weights.numel() for rows in block.rows()),
    )
    assert max(sizes) == 4 * 144 * 7
    assert sum(sizes) == 6 * 4 * 144**2


@pytest.mark.parametrize('options', [{}, {'output_class_token': 'mean'}])
def test_visit_attention__maps__are_those_of_the_encoder(options):
    encoder, image = seeded_encoder(0, **options), seeded_image(1)
    with torch.no_grad():
        expected = [m[0] if options else m for m in encoder(image)]

    maps = visit_attention(encoder, image, lambda _: None)

    assert len(maps) == len(expected) == 6
    assert all(torch.equal(*pair) for pair in zip(maps, expected, strict=True))


def test_visit_attention__an_error__leaves_no_hook_behind():
    encoder = seeded_encoder(0)
    with pytest.raises(ZeroDivisionError):
        visit_attention(encoder, seeded_image(1), lambda _: 1 / 0)
    assert not any(block.attn._forward_pre_hooks for block in encoder.blocks)


def test_visit_attention__other_layers__are_not_shown():
    encoder = seeded_encoder(0)
    encoder.out_indices = (1, 4)
    seen = []
    visit_attention(encoder, seeded_image(1), lambda block: seen.append(block.layer))
    assert seen == [1, 4]


def test_visit_attention__no_perception_encoder__is_refused():
    with pytest.raises(ValueError, match='got a Identity'):
        visit_attention(nn.Identity(), seeded_image(1), print)


@pytest.mark.parametrize('shape', [(2, 3, 96, 96), (3, 96, 96)])
def test_visit_attention__not_one_image__is_refused(shape):
    with pytest.raises(ValueError, match='one image at a time'):
        visit_attention(seeded_encoder(0), torch.zeros(shape), print)
