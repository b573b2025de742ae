"""`pe-mm attention`: the numbers of Python, a picture of each, and bad input."""

import numpy as np
import pytest

from pe_mm.analysis.attention_maps import measure_attention


def test_attention__arrays__are_those_from_python(
    run_encoder, encoder_inputs, written, tmp_path
):
    code, printed = run_encoder(
        'attention', '--tokens', '3,4', '0,7', '--per-head', '--arrays'
    )
    assert code == 0
    assert written(printed) == [
        'a_attention.png',
        'a_heads.png',
        'b_attention.png',
        'b_heads.png',
        'attention_layers.png',
        'attention.npz',
    ]
    with np.load(tmp_path / 'out' / 'attention.npz') as arrays:
        for name, tensor in zip('ab', encoder_inputs[1], strict=True):
            expected = measure_attention(encoder_inputs[0], tensor, [(3, 4), (0, 7)])
            for field in ('maps', 'distance', 'entropy', 'received', 'grid', 'layers'):
                np.testing.assert_allclose(
                    arrays[f'{name}.{field}'], getattr(expected, field), rtol=1e-6
                )
            assert arrays[f'{name}.tokens'].tolist() == ['(3, 4)', '(0, 7)']


def test_attention__no_token_given__shows_the_patch_in_the_middle(
    run_encoder, tmp_path
):
    run_encoder('attention', '--arrays', '--layers', '1,2', '--head', '1')
    with np.load(tmp_path / 'out' / 'attention.npz') as arrays:
        assert arrays['a.tokens'].tolist() == ['(4, 5)']
        assert arrays['b.tokens'].tolist() == ['(4, 4)']
        assert arrays['a.layers'].tolist() == [1, 2]


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--tokens', '3'), "--tokens '3' is no token"),
        (('--tokens', '99,0'), 'outside the grid of 8 rows and 10'),
        (('--tokens', 'class'), 'has no class token'),
        (('--head', '2'), 'heads are 0..1'),
    ],
)
def test_attention__bad_input__is_one_line(words, message, run_encoder, tmp_path):
    code, printed = run_encoder('attention', *words)
    assert code == 2
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not (tmp_path / 'out').exists()
