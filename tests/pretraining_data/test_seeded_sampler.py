"""A draw depends on seed, epoch and place alone."""

import pickle
import tracemalloc

import torch
from mmengine.registry import DATA_SAMPLERS

from pe_mm.pretraining_data import SeededSampler
from pe_mm.pretraining_data.seeded_sampler import draws_of


def seeds(seed=0, epoch=0, rank=0, world_size=1, length=6):
    sampler = SeededSampler(range(length), shuffle=True, seed=seed)
    sampler.rank, sampler.world_size = rank, world_size
    sampler.num_samples = length // world_size
    sampler.set_epoch(epoch)
    return [(int(index), index.seed) for index in sampler]


def test_sampler__order__is_the_default_samplers():
    config = {'dataset': range(6), 'shuffle': True, 'seed': 3}
    default = DATA_SAMPLERS.build({'type': 'DefaultSampler', **config})
    ours = DATA_SAMPLERS.build({'type': 'pe_mm.SeededSampler', **config})

    assert list(ours) == list(default)
    assert len(ours) == 6


def test_sampler__more_processes_than_divide__are_filled_up_as_by_default():
    for round_up in (True, False):
        takes = []
        for kind in ('DefaultSampler', 'pe_mm.SeededSampler'):
            config = {'dataset': range(5), 'seed': 3, 'round_up': round_up}
            sampler = DATA_SAMPLERS.build({'type': kind, **config})
            sampler.rank, sampler.world_size = 1, 2
            sampler.total_size = 6 if round_up else 5
            takes.append(list(sampler))
        assert takes[0] == takes[1]


def test_sampler__epoch_of_a_hundred_million__begins_at_once():
    """A list of so many indices would take gigabytes."""
    sampler = SeededSampler(range(10**8), shuffle=False, seed=0)
    tracemalloc.start()
    assert next(iter(sampler)) == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6


def test_sampler__seeds__differ_by_seed_epoch_and_place_and_repeat():
    drawn = [seed for s in (0, 1) for e in (0, 1) for _, seed in seeds(s, e)]

    assert len(set(drawn)) == 24
    assert seeds(1, 1) == seeds(1, 1)


def test_sampler__two_processes__draw_what_one_would_draw():
    assert sorted(seeds(rank=0, world_size=2) + seeds(rank=1, world_size=2)) == sorted(
        seeds()
    )


def test_draws_of__index_through_a_worker__draws_the_same_and_leaves_no_trace():
    index = next(iter(SeededSampler(range(3), shuffle=False, seed=0)))
    before = torch.get_rng_state()

    drawn = []
    for received in (index, pickle.loads(pickle.dumps(index))):
        with draws_of(received):
            drawn.append(torch.rand(3))

    assert torch.equal(*drawn)
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_of__plain_index__draws_from_the_process():
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)

    with draws_of(3):
        assert torch.equal(torch.rand(2), expected)
