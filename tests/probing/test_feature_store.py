"""Stored features: what was written comes back, and nothing else passes for it."""

import errno
import os

import pytest
import torch

from pe_mm.probing.feature_store import CHUNK, FeatureStore, Part

COUNT = CHUNK + 3


def part(dtype='float16', shape=(2, 3), origin='a', kind='another encoder'):
    return Part(shape, dtype, origin, kind)


def filled(root, dtype='float16', seed=0):
    """Return a store of one part, and what was written."""
    store = FeatureStore(root, COUNT, {'layer-00': part(dtype)})
    store.allocate()
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(COUNT, 2, 3, generator=generator).to(getattr(torch, dtype))
    for number, chunk in enumerate(store.chunks):
        store.write(number, {'layer-00': values[chunk.start : chunk.stop]})
    return store, values


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16', 'int16', 'float32', 'int64'])
def test_read__any_order__gives_what_was_written(tmp_path, dtype):
    _, values = filled(tmp_path, dtype)
    again = FeatureStore(tmp_path, COUNT, {'layer-00': part(dtype)})
    again.allocate()
    again.verify(range(2))
    assert again.missing(0) == again.missing(1) == []
    order = [17, 0, 5, 17]
    read = again.read(order)['layer-00']
    assert read.dtype == values.dtype
    assert torch.equal(read, values[order])


def test_verify__byte_that_changed__forgets_that_chunk_alone(tmp_path):
    filled(tmp_path)
    data = bytearray((tmp_path / 'layer-00.bin').read_bytes())
    data[-1] ^= 1
    (tmp_path / 'layer-00.bin').write_bytes(data)
    store = FeatureStore(tmp_path, COUNT, {'layer-00': part()})
    store.allocate()
    store.verify(range(2))
    assert (store.missing(0), store.missing(1)) == ([], ['layer-00'])


def test_missing__new_store_or_new_part__lacks_it(tmp_path):
    filled(tmp_path)
    parts = {'layer-00': part(), 'layer-01': part(origin='b')}
    store = FeatureStore(tmp_path, COUNT, parts)
    assert store.missing_bytes == COUNT * 2 * 3 * 2
    store.allocate()
    assert store.missing_bytes == 0
    assert store.missing(0) == ['layer-01']


@pytest.mark.parametrize(
    ('other', 'count'),
    [
        (dict(origin='b'), COUNT),
        (dict(dtype='bfloat16'), COUNT),
        (dict(shape=(3, 2)), COUNT),
        ({}, COUNT + 1),
    ],
)
def test_open__part_of_something_else__is_an_error(tmp_path, other, count):
    filled(tmp_path)
    with pytest.raises(ValueError, match='holds layer-00 of another encoder; nothing'):
        FeatureStore(tmp_path, count, {'layer-00': part(**other)})


def test_open__facts_that_are_torn__are_an_error(tmp_path):
    filled(tmp_path)
    (tmp_path / 'layer-00.json').write_text('{"shape"')
    with pytest.raises(ValueError, match='delete this one'):
        FeatureStore(tmp_path, COUNT, {'layer-00': part()})


@pytest.mark.parametrize('files', [0, 1, 2, 3])
def test_allocate__disk_that_gets_full__leaves_nothing(tmp_path, monkeypatch, files):
    reserved = []

    def fail(file, start, size):
        reserved.append(size)
        if len(reserved) > files:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'posix_fallocate', fail)
    store = FeatureStore(tmp_path, COUNT, {'layer-00': part(), 'layer-01': part()})
    with pytest.raises(OSError, match='cannot reserve 0.00 GiB .*No space left'):
        store.allocate()
    assert list(tmp_path.iterdir()) == []


def test_check_space__others_take_most_of_it__is_an_error(tmp_path, monkeypatch):
    store = FeatureStore(tmp_path, COUNT, {'layer-00': part()})
    monkeypatch.setattr(
        'pe_mm.probing.feature_store.free_bytes',
        lambda path: store.missing_bytes + 2**28 + 5,
    )
    store.check_space(5)
    with pytest.raises(ValueError, match='GiB free for them'):
        store.check_space(6)
