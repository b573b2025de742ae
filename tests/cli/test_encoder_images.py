"""What the commands that look into an encoder have in common: bad input."""

import pytest


@pytest.mark.parametrize(
    ('command', 'words', 'changes', 'message'),
    [
        ('pca', ('--layers', '3,9'), {}, 'layer 9 does not exist'),
        ('pca', ('--layers', 'some'), {}, "layers 'some' are no layer choice"),
        ('pca', ('--size', '15'), {}, '--size must be at least a patch of 16'),
        ('pca', ('--size', '32'), {}, 'window_size=8 is larger than the grid of 2 x 2'),
        ('pca', ('--device', 'cuda:99'), {}, '--device cuda:99 cannot be used'),
        ('global-tokens', (), {'sources': ['no.png']}, 'no.png does not exist'),
        ('global-tokens', (), {'sources': ['text.png']}, 'text.png cannot be read'),
        ('global-tokens', (), {'encoder': 'PE-Spatial-X'}, 'did you mean PE-Spatial'),
        ('global-tokens', (), {'encoder': 'timm/x'}, 'Perception Encoders only, got'),
        ('attention', (), {'encoder': 'timm/x'}, 'only, got timm/x; `pe-mm pca` and'),
        ('pca', ('--out', 'b.png'), {}, 'b.png is a file; give a folder'),
        ('pca', ('--out', '/proc/none'), {}, '/proc/none cannot be written to: '),
    ],
)
def test_encoder_images__bad_input__is_one_line(
    command, words, changes, message, run_encoder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'text.png').write_text('no picture')
    before = {path: path.read_bytes() for path in tmp_path.glob('*.png')}

    code, printed = run_encoder(command, *words, **changes)

    assert code == 2
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.glob('*.png')} == before


def test_encoder_images__results_over_an_image__are_refused(
    run_encoder, image_files, tmp_path
):
    folder = tmp_path / 'out'
    folder.mkdir()
    image = image_files[0].rename(folder / 'pca.png')
    content = image.read_bytes()
    code, printed = run_encoder('pca', sources=[image])
    assert code == 2
    assert 'is an image to look at, which would be overwritten' in printed.err
    assert image.read_bytes() == content
