"""`pe-mm global-tokens`: the numbers of Python, in words and in a picture."""

import numpy as np

from pe_mm.analysis import find_global_tokens


def test_global_tokens__windowed_layers_alone__are_said_to_hide_attention(run_encoder):
    code, printed = run_encoder('global-tokens', '--layers', '0')

    assert code == 0
    assert 'by attention, nothing can be told: all layers are windowed' in printed.out
    assert 'by norm, global tokens appear in no layer' in printed.out


def test_global_tokens__arrays_and_words__are_what_was_found(
    run_encoder, encoder_inputs, written, tmp_path
):
    code, printed = run_encoder('global-tokens', '--arrays')
    assert code == 0
    assert written(printed) == ['global_tokens.png', 'global_tokens.npz']
    assert 'by norm, global tokens appear in no layer' in printed.out
    with np.load(tmp_path / 'out' / 'global_tokens.npz') as arrays:
        for name, tensor in zip('ab', encoder_inputs[1], strict=True):
            expected = find_global_tokens(encoder_inputs[0], tensor)
            for field in ('attention', 'norm', 'by_attention', 'by_norm'):
                np.testing.assert_allclose(
                    arrays[f'{name}.{field}'], getattr(expected, field), rtol=1e-6
                )
