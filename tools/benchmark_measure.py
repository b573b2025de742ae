"""Time and memory of models' steps, and ratios between them round by round."""

import gc
import os
import platform
import statistics
from collections.abc import Callable, Sequence

# The profiler's log would tear the table apart.
os.environ.setdefault('KINETO_LOG_LEVEL', '99')

# isort: split
import torch
from torch import Tensor, nn
from torch.utils.benchmark.utils.timer import timer

import pe_mm

# isort: split
# After pe_mm, which makes torchvision, and so timm, importable on CPU-only installs.
import timm

MODES = ('forward', 'forward+backward')


def make_step(
    model: nn.Module, image: Tensor, mode: str, *, bf16: bool = False
) -> Callable[[], None]:
    """Return a call that runs the model once, with the backward pass or without.

    Gradients are gone when the call returns, and so do not pile up over models.

    Args:
        model: Is put into training mode or eval mode.
        image: (B, 3, H, W), the model's input.
        mode: One of ``MODES``.
        bf16: Whether the forward pass runs under bf16 autocast.
    """
    model.train(mode != 'forward')

    def run() -> Tensor:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=bf16):
            return model(image)

    def forward() -> None:
        with torch.inference_mode():
            run()

    def forward_backward() -> None:
        run().mean().backward()
        model.zero_grad(set_to_none=True)

    return forward if mode == 'forward' else forward_backward


def time_rounds(
    steps: dict[str, Callable[[], None]], rounds: int, min_run_time: float
) -> dict[str, list[float]]:
    """Time every step in every round, after one call of each that is not timed.

    Args:
        steps: What to call, by name.
        rounds: Rounds over all steps.
        min_run_time: Seconds that calls of one step fill in each round; one call is
            made at least.

    Returns:
        Seconds of a call, the median of each round, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            seconds[name].append(_time_step(step, min_run_time))
    return seconds


def _time_step(step: Callable[[], None], min_run_time: float) -> float:
    gc.collect()
    times: list[float] = []
    while not times or sum(times) < min_run_time:
        # This timer waits for the GPU where there is one.
        start = timer()
        step()
        times.append(timer() - start)
    return statistics.median(times)


def peak_memory(
    build: Callable[[], nn.Module], image: Tensor, mode: str, *, bf16: bool = False
) -> int:
    """Return the peak bytes of weights, gradients and activations of one call."""
    gc.collect()
    if image.is_cuda:
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        make_step(build().to(image.device), image, mode, bf16=bf16)()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(profile_memory=True) as profile:
        make_step(build(), image, mode, bf16=bf16)()
    running = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == '[memory]':
            running += event.nbytes()
            peak = max(peak, running)
    return peak


def ratios(top: Sequence[float], bottom: Sequence[float]) -> list[float]:
    """Divide two contestants' times round by round."""
    return [a / b for a, b in zip(top, bottom, strict=True)]


def summarize(ratios: Sequence[float]) -> str:
    """Format a ratio's median and its spread over the rounds."""
    return f'{statistics.median(ratios):5.3f} [{min(ratios):5.3f}, {max(ratios):5.3f}]'


def conditions(device: str, seed: int) -> dict:
    """Return what a result row says of the machine and the versions."""
    return {
        'seed': seed,
        'threads': torch.get_num_threads(),
        'device': torch.cuda.get_device_name(device) if 'cuda' in device else device,
        'processor': platform.processor() or platform.machine(),
        'python': platform.python_version(),
        'torch': torch.__version__,
        'timm': timm.__version__,
        'pe_mm': pe_mm.__version__,
    }
