"""A sweep: the planted layer wins, and no kill, split or store changes a number."""

import json
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread

import pytest
import torch
from probing_sweeps import PLANTED, colour_task, planted, sweep_options

from pe_mm.probing.classification import KNNTask
from pe_mm.probing.results import read_rows
from pe_mm.probing.sweep import sweep


def measured(options):
    """Return (task, layer, seed) -> value."""
    rows = read_rows(options.rows)
    found = {(row.task, row.layer, row.seed): row.value for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The numbers of one run over everything."""
    options = sweep_options(tmp_path_factory.mktemp('whole'))
    sweep(planted(), [colour_task(), colour_task(KNNTask)], [0, 1], options)
    return measured(options)


def test_sweep__planted_layer__is_the_best_of_every_task_and_seed(whole):
    assert set(whole) == {
        *(('linear', layer, seed) for layer in range(4) for seed in (0, 1)),
        *(('knn', layer, None) for layer in range(4)),
    }
    for (_, layer, _), value in whole.items():
        assert value == 100 if layer == PLANTED else value < 70


def test_sweep__rows__say_what_was_measured_and_how(tmp_path):
    options = sweep_options(tmp_path)
    sweep(planted(), [colour_task()], [3], options)
    row = read_rows(options.rows)[0]
    assert (row.encoder, row.num_layers, row.weights) == ('planted', 4, None)
    assert row.variant['weights'] == 'random, seed-0'
    assert (row.resolution, row.tokens, row.config) == ((16, 16), (4, 4), 'colours')
    assert row.protocol['iterations'] == 20
    assert row.protocol['images'] == [40, 24]
    assert row.protocol['features'] == 'float16'
    assert row.versions['torch'] == torch.__version__


def test_sweep__fewer_layers__have_the_same_numbers(whole, tmp_path):
    options = sweep_options(tmp_path)
    sweep(planted((1, 2)), [colour_task()], [1], options)
    for key, value in measured(options).items():
        assert value == whole[key]


@pytest.mark.parametrize('features', ['store', 'compute'])
def test_sweep__stored_or_computed__have_the_same_numbers(whole, tmp_path, features):
    options = sweep_options(tmp_path, features=features, keep_store=True)
    sweep(planted(), [colour_task(), colour_task(KNNTask)], [0, 1], options)
    assert measured(options) == whole
    assert (tmp_path / 'store').exists() == (features == 'store')


def test_sweep__two_processes__split_the_layers_and_have_the_same_numbers(
    whole, tmp_path
):
    for rank in range(2):
        options = sweep_options(tmp_path, share=(rank, 2))
        sweep(planted(), [colour_task(), colour_task(KNNTask)], [0, 1], options)
        layers = {layer for _, layer, _ in measured(options)}
        assert layers == ({0, 2} if rank == 0 else {0, 1, 2, 3})
    assert measured(options) == whole


def test_sweep__process_with_all_its_rows__still_fills_its_share_of_a_store(tmp_path):
    task = colour_task(train=40)
    common = dict(features='store', keep_store=True)
    sweep(planted((0, 1)), [task], [0], sweep_options(tmp_path, **common))
    # Of layers 0 and 3 the first process has nothing left to measure.
    shared = [sweep_options(tmp_path, share=(n, 2), **common) for n in range(2)]
    runs = [
        Thread(target=sweep, args=(planted((0, 3)), [task], [0], options), daemon=True)
        for options in shared
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join(timeout=60)
    assert not any(run.is_alive() for run in runs)
    assert sorted(layer for _, layer, _ in measured(shared[0])) == [0, 1, 3]


def test_sweep__one_pass__serves_all_layers(tmp_path):
    encoder = planted()
    task = colour_task()
    sweep(encoder, [task], [0], sweep_options(tmp_path, features='compute'))
    assert encoder.module.images_seen == 20 * 8 + 24


def stopping(at):
    """Return a `show` that stops the sweep in the step of this label."""

    @contextmanager
    def show(label):
        def on_progress(done, total):
            if label == at and done == total // 2:
                raise KeyboardInterrupt

        yield on_progress

    return show


@pytest.mark.parametrize(
    ('at', 'left'),
    [
        ('linear, features', 0),
        ('linear, seed 0, training', 0),
        ('linear, seed 1, training', 4),
        ('linear, seed 1, measuring', 4),
        ('knn, training', 8),
    ],
)
def test_sweep__killed__goes_on_without_doing_anything_twice(whole, tmp_path, at, left):
    tasks = [colour_task(), colour_task(KNNTask)]
    options = sweep_options(tmp_path, features='store')
    with pytest.raises(KeyboardInterrupt):
        sweep(planted(), tasks, [0, 1], replace(options, show=stopping(at)))
    kept = options.rows.read_bytes() if options.rows.exists() else b''
    assert kept.count(b'\n') == left
    encoder = planted()
    sweep(encoder, tasks, [0, 1], options)
    assert measured(options) == whole
    assert options.rows.read_bytes().startswith(kept)
    if 'seed 1' in at:
        # The features of the 40 training images are read from the store; of knn's not.
        assert encoder.module.images_seen == 24 + 40 + 24


def test_sweep__row_that_is_missing__is_measured_alone(whole, tmp_path):
    options = sweep_options(tmp_path)
    sweep(planted(), [colour_task()], [0], options)
    lines = options.rows.read_text().splitlines(keepends=True)
    options.rows.write_text(''.join(lines[:2] + lines[3:]))
    sweep(planted(), [colour_task()], [0], options)
    assert len(read_rows(options.rows)) == 4
    assert json.loads(options.rows.read_text().splitlines()[-1])['layer'] == 2
    assert all(whole[key] == value for key, value in measured(options).items())


def test_sweep__everything_measured__computes_nothing(tmp_path):
    options = sweep_options(tmp_path)
    sweep(planted(), [colour_task()], [0], options)
    encoder, said = planted(), []
    sweep(encoder, [colour_task()], [0], replace(options, say=said.append))
    assert encoder.module.images_seen == 0
    assert said == ['linear: its rows are there already']


def test_sweep__loss_that_is_not_finite__leaves_a_row_without_number(tmp_path):
    task = colour_task()
    task.loss = lambda probe, features, truths: probe(features).sum() * torch.nan
    options = sweep_options(tmp_path)
    sweep(planted((0,)), [task], [0], options)
    (row,) = read_rows(options.rows)
    assert row.value != row.value


def test_sweep__store_of_another_encoder_or_data__is_an_error_before_work(tmp_path):
    options = sweep_options(tmp_path, features='store', keep_store=True)
    sweep(planted(), [colour_task()], [0], options)
    before = sorted((p, p.stat().st_mtime_ns) for p in options.store.rglob('*'))
    other = planted(scale=2.0)
    with pytest.raises(ValueError, match='layer-00 of another encoder .* --store DIR'):
        sweep(other, [colour_task()], [1], options)
    with pytest.raises(ValueError, match='of other data .*linear; nothing was changed'):
        sweep(planted(), [colour_task(seed=5)], [1], options)
    assert other.module.images_seen == 0
    assert before == sorted((p, p.stat().st_mtime_ns) for p in options.store.rglob('*'))
    assert len(read_rows(options.rows)) == 4


def test_sweep__store_that_does_not_fit__says_so_before_anything(tmp_path, monkeypatch):
    # 40 images of 4 layers of 6 x 4 x 4 numbers in half precision, and a class.
    monkeypatch.setattr(
        'pe_mm.probing.feature_store.free_bytes', lambda path: 2**28 + 31_039
    )
    options = sweep_options(tmp_path, features='store')
    with pytest.raises(ValueError, match=r'need 0.00 GiB in .*nothing was written'):
        sweep(planted(), [colour_task()], [0], options)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(
        'pe_mm.probing.feature_store.free_bytes', lambda path: 2**28 + 31_040
    )
    sweep(planted(), [colour_task()], [0], options)


def test_sweep__two_stores_that_are_kept__must_fit_together(tmp_path, monkeypatch):
    # A store takes 31,040 bytes, and one that is not kept is gone before the next.
    monkeypatch.setattr(
        'pe_mm.probing.feature_store.free_bytes', lambda path: 2**28 + 2 * 31_040 - 1
    )
    other = colour_task(seed=4)
    other.name = 'other'
    tasks = [colour_task(), other]
    kept = sweep_options(tmp_path / 'kept', features='store', keep_store=True)
    with pytest.raises(ValueError, match='nothing was written'):
        sweep(planted(), tasks, [0], kept)
    assert not kept.store.exists()
    sweep(planted(), tasks, [0], sweep_options(tmp_path / 'not', features='store'))


def test_sweep__auto__computes_what_takes_more_than_half_of_the_disk(
    tmp_path, monkeypatch
):
    monkeypatch.setattr('pe_mm.probing.probe_run.free_bytes', lambda path: 50_000)
    said = []
    options = sweep_options(tmp_path, say=said.append)
    sweep(planted(), [colour_task()], [0], options)
    assert 'features are computed in every batch' in said[0]
    assert not options.store.exists()


def test_sweep__values_beyond_float16__ask_for_bfloat16(tmp_path):
    options = sweep_options(tmp_path)
    with pytest.raises(ValueError, match='layer 0 reach .* --feature-dtype bfloat16'):
        sweep(planted(scale=1e5), [colour_task()], [0], options)
    options = sweep_options(tmp_path / 'other')
    sweep(planted(scale=1e5, dtype='bfloat16'), [colour_task()], [0], options)
    assert measured(options)['linear', PLANTED, 0] == 100
