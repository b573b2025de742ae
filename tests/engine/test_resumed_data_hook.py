"""Only the interrupted epoch of a training by iterations is read again."""

from types import SimpleNamespace

import pytest
from mmengine.runner import IterBasedTrainLoop
from torch.utils.data import DataLoader

from pe_mm.engine.resumed_data_hook import ResumedDataHook
from pe_mm.pretraining_data import SeededSampler


class Numbers:
    """Eight numbers, and how often they were read."""

    def __init__(self):
        self.read = 0

    def __len__(self):
        return 8

    def __getitem__(self, index):
        self.read += 1
        return int(index), index.seed


class Stream(Numbers):
    """What comes next, as of shards, which are opened anew for an epoch's seed."""

    seed, position = None, 0

    def __getitem__(self, index):
        if index.epoch_seed != self.seed:
            self.seed, self.position = index.epoch_seed, 0
        self.position += 1
        return self.position, self.seed


def advanced(iteration, *, with_hook, dataset=None, **options):
    """Start as the loop does; returns the next batch, and how many numbers it took."""
    dataset = Numbers() if dataset is None else dataset
    sampler = SeededSampler(dataset, seed=0)
    options = {'batch_size': 2, 'sampler': sampler, 'collate_fn': list} | options
    loader = DataLoader(dataset, **options)
    runner = SimpleNamespace(visualizer=SimpleNamespace())
    loop = IterBasedTrainLoop(runner, loader, max_iters=20)
    runner.train_loop, loop._iter = loop, iteration
    if with_hook:
        ResumedDataHook().before_train_epoch(runner)
    for _ in range(iteration):
        next(loop.dataloader_iterator)
    return next(loop.dataloader_iterator), dataset.read


@pytest.mark.parametrize('iteration', [0, 3, 4, 5, 9])
def test_hook__resumed_anywhere__goes_on_with_the_same_batch(iteration, monkeypatch):
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    batch, read = advanced(iteration, with_hook=True)
    assert batch == advanced(iteration, with_hook=False)[0]
    assert read == 2 * (iteration % 4 + 1)


@pytest.mark.parametrize('iteration', [3, 5])
def test_hook__stream_in_workers_that_persist__skips_nothing(iteration, monkeypatch):
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    options = {'num_workers': 1, 'persistent_workers': True}
    batches = [
        advanced(iteration, with_hook=with_hook, dataset=Stream(), **options)[0]
        for with_hook in (False, True)
    ]
    assert batches[0] == batches[1]
