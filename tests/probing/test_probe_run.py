"""What a run says before it works: memory, disk, and where features come from."""

from probing_sweeps import colour_task, planted, sweep_options

from pe_mm.probing.classification import KNNTask
from pe_mm.probing.sweep import sweep


def said(folder, task, **options):
    lines = []
    sweep(planted(), [task], [0], sweep_options(folder, say=lines.append, **options))
    return lines


def test_run__store__is_announced_with_its_size(tmp_path):
    memory, disk = said(tmp_path, colour_task(), features='store')
    assert memory.startswith('linear: 4 layers; in memory 0.00 GiB for a batch of')
    assert disk.endswith('store/linear takes 0.00 GiB for features of 40 images')


def test_run__neighbours__counts_what_they_remember(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        'pe_mm.probing.probe_run.gib', lambda size: sizes.append(size) or 'much'
    )
    (memory,) = said(tmp_path, colour_task(KNNTask))
    assert memory == (
        'knn: 4 layers; in memory much for a batch of features and much for probes, '
        'beside the encoder'
    )
    # 8 images of 6 x 4 x 4 numbers: 4 layers in half precision and 1 in single; 40
    # embeddings of 6 numbers in half precision and 40 classes, for 4 layers.
    assert sizes == [8 * 96 * (4 * 2 + 4), 4 * (40 * 6 * 2 + 40 * 8)]


def test_run__auto__stores_only_what_is_used_again(tmp_path):
    used_once = colour_task(train=40, iterations=5)
    assert len(said(tmp_path / 'once', used_once)) == 1
    used_twice = colour_task(train=40, iterations=6)
    assert len(said(tmp_path / 'twice', used_twice)) == 2
    assert not (tmp_path / 'twice' / 'store').exists()
    assert len(said(tmp_path / 'shared', used_twice, share=(0, 2))) == 1
