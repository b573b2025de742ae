"""`pe-mm match`: the pairs of Python, a picture, and bad input."""

import numpy as np
import pytest
import torch

from pe_mm.analysis import match_features
from pe_mm.cli.main import main


def test_match__arrays__are_those_from_python(
    run_encoder, encoder_inputs, written, tmp_path
):
    code, printed = run_encoder('match', '--arrays', '--layer', '3')
    assert code == 0
    assert written(printed) == ['matches.png', 'matches.npz']
    with torch.no_grad():
        expected = match_features(
            *(encoder_inputs[0](tensor)[3] for tensor in encoder_inputs[1])
        )
    with np.load(tmp_path / 'out' / 'matches.npz') as arrays:
        np.testing.assert_array_equal(arrays['source'], expected.source)
        np.testing.assert_array_equal(arrays['target'], expected.target)
        np.testing.assert_allclose(arrays['similarity'], expected.similarity, 1e-5)


def test_match__variant_without_weights__is_a_dry_run(image_files, tmp_path):
    words = [*image_files, '--size', '64', '--out', tmp_path / 'out']
    code = main(['match', 'PE-Spatial-T16-512', *map(str, words)])
    assert code == 0
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['matches.png']


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--layer', 'x'), "layers 'x' are no layer choice"),
        (('--layer', 'all'), '--layer is one layer'),
    ],
)
def test_match__bad_input__is_one_line(words, message, run_encoder, tmp_path):
    code, printed = run_encoder('match', *words)
    assert code == 2
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not (tmp_path / 'out').exists()


def test_match__one_image__is_refused(run_encoder, image_files):
    code, printed = run_encoder('match', sources=image_files[:1])
    assert code == 2
    assert 'two images are matched, got 1' in printed.err
