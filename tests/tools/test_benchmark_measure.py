"""Times are paired, and peak memory is what a step holds; never a time asserted."""

import pytest
import torch


class Layer(torch.nn.Linear):
    def __init__(self) -> None:
        super().__init__(1024, 1024, bias=False)


def test_peak_memory__forward__counts_weights_and_activations(measure) -> None:
    peak = measure.peak_memory(Layer, torch.randn(512, 1024), 'forward')
    assert peak == pytest.approx(4 * (1024 * 1024 + 512 * 1024), rel=0.05)


def test_make_step__forward_backward__leaves_no_gradients(measure) -> None:
    model = Layer()
    seen = []
    model.weight.register_post_accumulate_grad_hook(
        lambda p: seen.append(p.grad.norm())
    )
    measure.make_step(model, torch.randn(4, 1024), 'forward+backward')()
    assert model.training and len(seen) == 1 and seen[0] > 0
    assert model.weight.grad is None


@pytest.mark.parametrize(
    ('bf16', 'dtype'), [(True, torch.bfloat16), (False, torch.float32)]
)
def test_make_step__forward__runs_in_the_dtype_asked_for(measure, bf16, dtype) -> None:
    model = Layer()
    seen = []
    model.register_forward_hook(lambda m, x, y: seen.append((y.dtype, y.requires_grad)))
    measure.make_step(model, torch.randn(4, 1024), 'forward', bf16=bf16)()
    assert seen == [(dtype, False)] and not model.training


def test_time_rounds__two_steps__take_turns_after_a_warm_up(measure) -> None:
    calls = []
    steps = {name: lambda name=name: calls.append(name) for name in 'ab'}
    seconds = measure.time_rounds(steps, 2, 0.0)
    assert calls == ['a', 'b'] * 3
    assert {name: len(times) for name, times in seconds.items()} == {'a': 2, 'b': 2}


def test_ratios__rounds__are_paired(measure) -> None:
    assert measure.ratios([1.0, 6.0], [2.0, 3.0]) == [0.5, 2.0]
    assert measure.summarize([0.5, 2.0, 1.0]) == '1.000 [0.500, 2.000]'


def test_conditions__cpu__name_threads_seed_and_versions(measure) -> None:
    row = measure.conditions('cpu', 3)
    assert (row['seed'], row['device']) == (3, 'cpu')
    assert row['threads'] == torch.get_num_threads()
    assert row['torch'] == torch.__version__
