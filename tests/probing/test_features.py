"""Features in batches: computed or stored alike, filled by several processes."""

from threading import Thread

import pytest
import torch
from probing_sweeps import colour_task, planted

from pe_mm.probing.feature_store import CHUNK, FeatureStore, in_chunks
from pe_mm.probing.features import (
    ComputedFeatures,
    StoredFeatures,
    fill,
    plan_store_parts,
)

COUNT = 2 * CHUNK + 5


def fill_share(folder, encoder, task, share, steps):
    """Fill a process's share of a store; return the store."""
    store = FeatureStore(folder, COUNT, plan_store_parts(task, encoder))
    store.allocate(first=share[0] == 0)
    fill(
        store,
        task,
        encoder,
        workers=0,
        share=share,
        on_progress=lambda done, total: steps.append((done, total)),
    )
    return store


def test_fill__two_processes_at_once__share_the_chunks_and_wait(tmp_path):
    task = colour_task(train=COUNT)
    encoders = [planted(), planted()]
    steps = [[], []]
    other = Thread(
        target=fill_share, args=(tmp_path, encoders[1], task, (1, 2), steps[1])
    )
    other.start()
    store = fill_share(tmp_path, encoders[0], task, (0, 2), steps[0])
    other.join()

    assert [e.module.images_seen for e in encoders] == [CHUNK + 5, CHUNK]
    assert steps == [[(0, 2), (1, 2), (2, 2)], [(0, 1), (1, 1)]]
    assert store.missing_bytes == 0
    batches = [[3, 30, 36], [0, 1, 2]]
    stored = StoredFeatures(store, torch.device('cpu')).batches(batches)
    computed = ComputedFeatures(task, planted(), 0).batches(batches)
    for (maps, truths), (wanted, truth) in zip(stored, computed, strict=True):
        assert maps.keys() == wanted.keys() == {0, 1, 2, 3}
        assert all(torch.equal(maps[layer], wanted[layer]) for layer in maps)
        assert truths.keys() == truth.keys() == {'class', 'index'}
        assert all(torch.equal(truths[name], truth[name]) for name in truth)


def test_fill__chunk_of_another_process_is_broken__waits_until_it_is_mended(tmp_path):
    task = colour_task(train=COUNT)
    store = fill_share(tmp_path, planted(), task, (0, 1), [])
    whole = store.read(range(COUNT))
    store._arrays['layer-00'][CHUNK] ^= 1  # Of the second chunk, whose sums stay.

    first = Thread(target=fill_share, args=(tmp_path, planted(), task, (0, 2), []))
    first.start()
    first.join(timeout=1.5)
    assert first.is_alive()
    second = planted()
    fill_share(tmp_path, second, task, (1, 2), [])
    first.join(timeout=60)

    assert not first.is_alive()
    assert second.module.images_seen == CHUNK
    assert all(torch.equal(store.read(range(COUNT))[n], whole[n]) for n in whole)


def test_fill__layer_that_is_new__leaves_the_others_as_they_are(tmp_path):
    task = colour_task(train=COUNT)
    fill_share(tmp_path, planted((0, 2)), task, (0, 1), [])
    before = (tmp_path / 'layer-02.bin').stat().st_mtime_ns
    encoder = planted((1, 2))
    fill_share(tmp_path, encoder, task, (0, 1), [])
    assert encoder.module.images_seen == COUNT
    assert (tmp_path / 'layer-02.bin').stat().st_mtime_ns == before
    again = planted((0, 1, 2))
    fill_share(tmp_path, again, task, (0, 1), [])
    assert again.module.images_seen == 0


def test_plan_store_parts__task__says_shapes_and_origins():
    parts = plan_store_parts(colour_task(), planted((1, 3), dtype='bfloat16'))
    assert {n: (p.shape, p.dtype) for n, p in parts.items()} == {
        'truth-class': ((), 'int64'),
        'layer-01': ((6, 4, 4), 'bfloat16'),
        'layer-03': ((6, 4, 4), 'bfloat16'),
    }
    assert len({part.origin for part in parts.values()}) == 3


@pytest.mark.parametrize(('count', 'sizes'), [(40, [16, 16, 8]), (16, [16]), (0, [])])
def test_in_chunks__images__are_all_there_once(count, sizes):
    chunks = in_chunks(count)
    assert [len(chunk) for chunk in chunks] == sizes
    assert [number for chunk in chunks for number in chunk] == list(range(count))
