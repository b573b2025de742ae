"""The benchmark of sweeps times all ways, and its ratios are what it says."""

import pytest

from pe_mm.data.demo_scenes import make_demo_data


def test_describe__times__gives_the_ratios(sweep_benchmark):
    seconds = {'together': 16, 'single': 10, 'probes': 4, 'one by one': 64}
    found = {k: sweep_benchmark.Seconds(v, v / 2) for k, v in seconds.items()}
    text = sweep_benchmark.describe(found, 12)
    assert text.splitlines()[3].split() == ['probes', '4', '2']
    for kind in ('wall', 'computing'):
        assert (
            f'{kind}: 12 layers together take 1.60 times one layer, 1.20 without the '
            'probes (at most 1.5); one by one they take 4.0 times as long'
        ) in text


def test_describe__milliseconds__are_not_rounded_to_nothing(sweep_benchmark):
    names = ('together', 'single', 'probes', 'one by one')
    found = dict.fromkeys(names, sweep_benchmark.Seconds(0.00123, 0.0004))
    lines = sweep_benchmark.describe(found, 2).splitlines()
    assert lines[1].split() == ['together', '0.00123', '0.0004']


def test_main__small_encoder__prints_what_every_way_took(
    sweep_benchmark, tmp_path, capsys
):
    root = make_demo_data(
        tmp_path / 'demo', train=2, val=1, clips=0, size=64, clutter=0, workers=1
    )
    words = [
        '--depth',
        '2',
        '--width',
        '64',
        '--tokens',
        '4',
        '--iterations',
        '1',
        '--batch-size',
        '2',
    ]
    sweep_benchmark.main([*words, '--data-root', str(root)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('2 blocks of width 64, 16 tokens, 1 steps of 2 images')
    assert [line.split()[0] for line in lines[2:6]] == [
        'together',
        'single',
        'probes',
        'one',
    ]
    assert all(float(line.split()[-1]) > 0 for line in lines[2:6])


def test_make_encoder__layer__cuts_what_is_above(sweep_benchmark):
    encoder = sweep_benchmark.make_encoder(4, 64, 64, [1])
    assert len(encoder.module.blocks) == 2
    whole = sweep_benchmark.make_encoder(4, 64, 64, range(4))
    assert whole.layers == (0, 1, 2, 3)
    with pytest.raises(ValueError, match='layer 4 does not exist'):
        sweep_benchmark.make_encoder(4, 64, 64, [4])
