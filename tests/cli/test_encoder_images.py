"""The commands that look into an encoder: what they write, and bad input."""

import numpy as np
import pytest
import torch
from PIL import Image
from seeded_models import CONFIGS, write_checkpoint, write_image

from pe_mm.analysis import color_features, find_global_tokens, match_features
from pe_mm.analysis.attention_maps import measure_attention
from pe_mm.analysis.images import read_pictures
from pe_mm.cli.encoder_images import to_tensor
from pe_mm.cli.main import main
from pe_mm.engine.encoder_loading import load_encoder

WINDOWED = CONFIGS / 'demo' / 'mask_rcnn_pe_nano_windowed.py'


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Write seeded weights of the windowed detector."""
    return write_checkpoint(WINDOWED, tmp_path_factory.mktemp('seeded') / 'model.pth')


@pytest.fixture
def images(tmp_path):
    """Write two images of 8 x 10 and 9 x 8 patches."""
    paths = [tmp_path / 'a.png', tmp_path / 'b.png']
    for path, shape in zip(paths, ((128, 160, 3), (144, 128, 3)), strict=True):
        write_image(path, shape)
    return paths


@pytest.fixture
def run(weights, images, tmp_path, capsys):
    """Run a command; returns its code and what it printed."""

    def run(command, *words, encoder=WINDOWED, sources=None):
        sources = images if sources is None else sources
        words = ['--weights', weights, '--device', 'cpu', *words]
        if '--out' not in words:
            words += ['--out', tmp_path / 'out']
        code = main([str(word) for word in (command, encoder, *sources, *words)])
        return code, capsys.readouterr()

    return run


@pytest.fixture
def inputs(weights, images):
    """Return the encoder with all its layers, and the images as it takes them."""
    loaded = load_encoder(WINDOWED, weights, layers='all')
    tensors = [to_tensor(loaded, p) for p in read_pictures(images, None, 16)]
    return loaded.encoder, tensors


def written(printed, tmp_path):
    """Return the files that a command names; they must be all that there are."""
    lines = [line for line in printed.out.splitlines() if line.startswith('wrote ')]
    files = [line.removeprefix(f'wrote {tmp_path / "out"}/') for line in lines]
    assert sorted(files) == sorted(p.name for p in (tmp_path / 'out').iterdir())
    for name in files:
        if name.endswith('.png'):
            assert Image.open(tmp_path / 'out' / name).size[0] == 900
    return files


def test_attention__arrays__are_those_from_python(run, inputs, tmp_path):
    code, printed = run('attention', '--tokens', '3,4', '0,7', '--per-head', '--arrays')
    assert code == 0
    assert written(printed, tmp_path) == [
        'a_attention.png',
        'a_heads.png',
        'b_attention.png',
        'b_heads.png',
        'attention_layers.png',
        'attention.npz',
    ]
    with np.load(tmp_path / 'out' / 'attention.npz') as arrays:
        for name, tensor in zip('ab', inputs[1], strict=True):
            expected = measure_attention(inputs[0], tensor, [(3, 4), (0, 7)])
            for field in ('maps', 'distance', 'entropy', 'received', 'grid', 'layers'):
                np.testing.assert_allclose(
                    arrays[f'{name}.{field}'], getattr(expected, field), rtol=1e-6
                )
            assert arrays[f'{name}.tokens'].tolist() == ['(3, 4)', '(0, 7)']


def test_attention__no_token_given__shows_the_patch_in_the_middle(run, tmp_path):
    run('attention', '--arrays', '--layers', '1,2', '--head', '1')
    with np.load(tmp_path / 'out' / 'attention.npz') as arrays:
        assert arrays['a.tokens'].tolist() == ['(4, 5)']
        assert arrays['b.tokens'].tolist() == ['(4, 4)']
        assert arrays['a.layers'].tolist() == [1, 2]


def test_global_tokens__arrays_and_words__are_what_was_found(run, inputs, tmp_path):
    code, printed = run('global-tokens', '--arrays')
    assert code == 0
    assert written(printed, tmp_path) == ['global_tokens.png', 'global_tokens.npz']
    assert 'by norm, global tokens appear in no layer' in printed.out
    with np.load(tmp_path / 'out' / 'global_tokens.npz') as arrays:
        for name, tensor in zip('ab', inputs[1], strict=True):
            expected = find_global_tokens(inputs[0], tensor)
            for field in ('attention', 'norm', 'by_attention', 'by_norm'):
                np.testing.assert_allclose(
                    arrays[f'{name}.{field}'], getattr(expected, field), rtol=1e-6
                )


@pytest.mark.parametrize('words', [(), ('--basis', 'layer', '--foreground')])
def test_pca__arrays__are_those_from_python(run, inputs, tmp_path, words):
    code, printed = run('pca', '--arrays', *words)
    assert code == 0
    assert written(printed, tmp_path) == ['pca.png', 'pca.npz']
    with torch.no_grad():
        maps = [inputs[0](tensor) for tensor in inputs[1]]
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


def test_match__arrays__are_those_from_python(run, inputs, tmp_path):
    code, printed = run('match', '--arrays', '--layer', '3')
    assert code == 0
    assert written(printed, tmp_path) == ['matches.png', 'matches.npz']
    with torch.no_grad():
        expected = match_features(*(inputs[0](tensor)[3] for tensor in inputs[1]))
    with np.load(tmp_path / 'out' / 'matches.npz') as arrays:
        np.testing.assert_array_equal(arrays['source'], expected.source)
        np.testing.assert_array_equal(arrays['target'], expected.target)
        np.testing.assert_allclose(arrays['similarity'], expected.similarity, 1e-5)


def test_match__variant_without_weights__is_a_dry_run(images, tmp_path):
    words = [*images, '--size', '64', '--out', tmp_path / 'out']
    code = main(['match', 'PE-Spatial-T16-512', *map(str, words)])
    assert code == 0
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['matches.png']


@pytest.mark.parametrize(
    ('command', 'words', 'changes', 'message'),
    [
        ('attention', ('--tokens', '3'), {}, "--tokens '3' is no token"),
        ('attention', ('--tokens', '99,0'), {}, 'outside the grid of 8 rows and 10'),
        ('attention', ('--tokens', 'class'), {}, 'has no class token'),
        ('attention', ('--head', '2'), {}, 'heads are 0..1'),
        ('pca', ('--layers', '3,9'), {}, 'layer 9 does not exist'),
        ('pca', ('--layers', 'some'), {}, "layers 'some' are no layer choice"),
        ('pca', ('--size', '15'), {}, '--size must be at least a patch of 16'),
        ('pca', ('--size', '32'), {}, 'window_size=8 is larger than the grid of 2 x 2'),
        ('pca', ('--device', 'cuda:99'), {}, '--device cuda:99 cannot be used'),
        ('match', ('--layer', 'x'), {}, "layers 'x' are no layer choice"),
        ('match', ('--layer', 'all'), {}, '--layer is one layer'),
        ('match', (), {'sources': ['b.png']}, 'two images are matched, got 1'),
        ('global-tokens', (), {'sources': ['no.png']}, 'no.png does not exist'),
        ('global-tokens', (), {'sources': ['text.png']}, 'text.png is no image'),
        ('global-tokens', (), {'encoder': 'PE-Spatial-X'}, 'did you mean PE-Spatial'),
        ('pca', ('--out', 'b.png'), {}, 'b.png is a file; give a folder'),
    ],
)
def test_encoder_images__bad_input__is_one_line(
    command, words, changes, message, run, tmp_path, monkeypatch, images
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'text.png').write_text('no picture')
    before = {path: path.read_bytes() for path in tmp_path.glob('*.png')}

    code, printed = run(command, *words, **changes)

    assert code == 2
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.glob('*.png')} == before


def test_encoder_images__results_over_an_image__are_refused(run, images, tmp_path):
    folder = tmp_path / 'out'
    folder.mkdir()
    image = images[0].rename(folder / 'pca.png')
    content = image.read_bytes()
    code, printed = run('pca', sources=[image])
    assert code == 2
    assert 'is an image to look at, which would be overwritten' in printed.err
    assert image.read_bytes() == content
