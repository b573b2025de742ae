"""Schedule, order and seeds of the probes' training."""

import math

import pytest
from probing_sweeps import colour_task

from pe_mm.probing.classification import KNNTask
from pe_mm.probing.probe_task import Budget
from pe_mm.probing.training import derive_seed, learning_rate, plan_batches


def test_learning_rate__every_step__is_a_ramp_times_a_cosine():
    budget = Budget(100, learning_rate=2.0)
    rates = [learning_rate(budget, n) for n in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == pytest.approx(1 + math.cos(math.pi * 0.09))
    assert rates[50] == pytest.approx(1.0)
    assert rates[99] < 1e-3
    assert learning_rate(Budget(1, learning_rate=2.0), 0) == 2.0


def test_plan_batches__passes__take_every_image_once_in_a_new_order():
    task = colour_task(train=12, iterations=3)
    batches = list(plan_batches(task, 0))
    assert [len(batch) for batch in batches] == [8, 8, 8]
    order = sum(batches, [])
    assert sorted(order[:12]) == sorted(order[12:]) == list(range(12))
    assert order[:12] != order[12:]
    assert list(plan_batches(task, 0)) == batches
    assert list(plan_batches(task, 1)) != batches


def test_plan_batches__without_iterations__is_one_pass_in_order():
    task = colour_task(KNNTask, train=20)
    assert sum(plan_batches(task, 3), []) == list(range(20))


def test_derive_seed__names__are_told_apart_on_every_machine():
    assert derive_seed('linear', 0, 1) == 2277380381
    assert derive_seed('linear', 0, 1) != derive_seed('linear', 1, 0)
