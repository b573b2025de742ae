"""`pe-mm pca`: the numbers of Python, and a picture."""

import numpy as np
import pytest
import torch

from pe_mm.analysis import color_features


@pytest.mark.parametrize('words', [(), ('--basis', 'layer', '--foreground')])
def test_pca__arrays__are_those_from_python(
    run_encoder, encoder_inputs, written, tmp_path, words
):
    code, printed = run_encoder('pca', '--arrays', *words)
    assert code == 0
    assert written(printed) == ['pca.png', 'pca.npz']
    with torch.no_grad():
        maps = [encoder_inputs[0](tensor) for tensor in encoder_inputs[1]]
    expected = color_features(
        maps, basis='layer' if words else 'all', foreground=bool(words)
    )
    with np.load(tmp_path / 'out' / 'pca.npz') as arrays:
        assert len(arrays) == 12
        for image, name in enumerate('ab'):
            for layer in range(6):
                np.testing.assert_allclose(
                    arrays[f'{name}.{layer}'],
                    expected.components[image][layer],
                    atol=1e-5,
                )
