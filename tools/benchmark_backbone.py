"""Measure the encoder against timm's model and against the floor of its arithmetic.

The floor runs the same patch convolution, matrix products and attention calls on the
same shapes, with nothing around them: no norms, RoPE, GELU, residual sums or reshapes
that copy. All contestants are timed in turn, round after round in one process, with
``torch.utils.benchmark``; every ratio is taken within a round and printed as the median
over the rounds with the smallest and the largest.

    python tools/benchmark_backbone.py
    python tools/benchmark_backbone.py --variants PE-Spatial-T16-512 --rounds 9
"""

import argparse
import gc
import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

# The profiler's log would tear the table apart.
os.environ.setdefault('KINETO_LOG_LEVEL', '99')

# isort: split
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.benchmark import Timer

import pe_mm

# isort: split
# After pe_mm, which makes torchvision, and so timm, importable on CPU-only installs.
import timm

from pe_mm.variants import VARIANTS, Variant, resolve_variant

MODES = ('forward', 'forward+backward')


class Floor(nn.Module):
    """The encoder's matrix products and attention calls, and nothing else."""

    def __init__(self, variant: Variant, depth: int) -> None:
        super().__init__()
        width, patch = variant.width, variant.patch_size
        self.heads, self.class_token = variant.heads, variant.class_token
        self.patch_embed = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    'qkv': nn.Linear(width, 3 * width),
                    'proj': nn.Linear(width, width),
                    'fc1': nn.Linear(width, variant.mlp_width),
                    'fc2': nn.Linear(variant.mlp_width, width),
                }
            )
            for _ in range(depth)
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                # Values of order one: shrinking ones turn into slow denormal numbers.
                nn.init.normal_(module.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Run the products.  (B, 3, H, W) -> (B, [1 +] tokens, C)."""
        x = self.patch_embed(image).flatten(2).transpose(1, 2)
        if self.class_token:
            x = F.pad(x, (0, 0, 1, 0))
        for block in self.blocks:
            qkv = block['qkv'](x).unflatten(-1, (3, self.heads, -1))
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            attended = F.scaled_dot_product_attention(q, k, v)
            x = block['proj'](attended.transpose(1, 2).flatten(2))
            x = block['fc2'](block['fc1'](x))
        return x


class TimmFeatures(nn.Module):
    """timm's model of the same architecture, returning the map of one block."""

    def __init__(self, variant: Variant, size: int, depth: int) -> None:
        super().__init__()
        name = str(variant.timm_id).split('.')[0]
        self.model = timm.create_model(name, img_size=size)
        self.model.prune_intermediate_layers([depth - 1], prune_norm=True)
        self.index = depth - 1

    def forward(self, image: Tensor) -> Tensor:
        """Return the last map.  (B, 3, H, W) -> (B, C, h, w)."""
        return self.model.forward_intermediates(
            image, indices=[self.index], intermediates_only=True
        )[0]


class Ours(nn.Module):
    """``PerceptionEncoder`` with one output."""

    def __init__(self, variant: Variant, depth: int) -> None:
        super().__init__()
        self.model = pe_mm.PerceptionEncoder(variant, (depth - 1,))

    def forward(self, image: Tensor) -> Tensor:
        """Return the map.  (B, 3, H, W) -> (B, C, h, w)."""
        return self.model(image)[0]


def make_step(model: nn.Module, image: Tensor, mode: str) -> Callable[[], None]:
    """Return a call that runs the model once, with the backward pass or without."""
    model.train(mode != 'forward')

    def forward() -> None:
        with torch.inference_mode():
            model(image)

    def forward_backward() -> None:
        model.zero_grad(set_to_none=True)
        model(image).mean().backward()

    return forward if mode == 'forward' else forward_backward


def time_rounds(
    steps: dict[str, Callable[[], None]], rounds: int, min_run_time: float
) -> dict[str, list[float]]:
    """Time every step in every round; return seconds per call by name and round."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            timer = Timer(
                'step()',
                globals={'step': step},
                num_threads=torch.get_num_threads(),
            )
            measurement = timer.blocked_autorange(min_run_time=min_run_time)
            seconds[name].append(measurement.median)
    return seconds


def peak_memory(build: Callable[[], nn.Module], image: Tensor, mode: str) -> int:
    """Return the peak bytes of weights, gradients and activations of one call."""
    gc.collect()
    if image.is_cuda:
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        make_step(build().to(image.device), image, mode)()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(profile_memory=True) as profile:
        make_step(build(), image, mode)()
    running = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == '[memory]':
            running += event.nbytes()
            peak = max(peak, running)
    return peak


def summarize(ratios: Sequence[float]) -> str:
    """Format a ratio's median and its spread over the rounds."""
    return f'{statistics.median(ratios):5.3f} [{min(ratios):5.3f}, {max(ratios):5.3f}]'


def ratios(top: Sequence[float], bottom: Sequence[float]) -> list[float]:
    """Divide two contestants' times round by round."""
    return [a / b for a, b in zip(top, bottom, strict=True)]


def benchmark_case(
    variant: Variant, batch: int, mode: str, args: argparse.Namespace
) -> dict:
    """Measure one variant at one batch size and print its lines."""
    image = torch.randn(batch, 3, args.size, args.size, device=args.device)
    depth = variant.depth
    steps = {}
    for name, model in {
        'ours': Ours(variant, depth),
        'timm': TimmFeatures(variant, args.size, depth),
        'floor': Floor(variant, depth),
        'half': Ours(variant, depth // 2),
    }.items():
        steps[name] = make_step(model.to(args.device), image, mode)
    seconds = time_rounds(steps, args.rounds, args.min_run_time)
    memory = {
        name: peak_memory(build, image, mode)
        for name, build in {
            'ours': lambda: Ours(variant, depth),
            'timm': lambda: TimmFeatures(variant, args.size, depth),
            'half': lambda: Ours(variant, depth // 2),
        }.items()
    }
    row = {
        'benchmark': 'backbone',
        'variant': variant.name,
        'size': args.size,
        'batch': batch,
        'mode': mode,
        'seconds': seconds,
        'peak_bytes': memory,
        'threads': torch.get_num_threads(),
        'device': args.device,
        'processor': platform.processor() or platform.machine(),
        'torch': torch.__version__,
        'timm': timm.__version__,
        'pe_mm': pe_mm.__version__,
    }
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f'\n{variant.name}, {args.size} px, batch {batch}, {mode}')
    print('  ms      ' + '  '.join(f'{n} {s * 1e3:.1f}' for n, s in median.items()))
    print('  MiB     ' + '  '.join(f'{n} {b / 2**20:.0f}' for n, b in memory.items()))
    for label, top, bottom in (
        ('ours / timm', 'ours', 'timm'),
        ('floor / ours', 'floor', 'ours'),
        ('floor / timm', 'floor', 'timm'),
        ('half / whole depth', 'half', 'ours'),
    ):
        print(f'  {label:24s}{summarize(ratios(seconds[top], seconds[bottom]))}')
    print(f'  memory ours / timm      {memory["ours"] / memory["timm"]:5.3f}')
    print(
        f'  memory half / whole     {memory["half"] / memory["ours"]:5.3f}', flush=True
    )
    return row


def positive(word: str) -> int:
    """Read a count from the command line."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {word}')
    return number


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--variants',
        nargs='+',
        default=['PE-Spatial-T16-512', 'PE-Spatial-B16-512'],
        choices=[*VARIANTS],
        metavar='VARIANT',
        help='official variants',
    )
    parser.add_argument('--size', type=positive, default=512, help='image side in px')
    parser.add_argument('--batch', type=positive, nargs='+', default=[1, 4])
    parser.add_argument('--modes', nargs='+', choices=MODES, default=list(MODES))
    parser.add_argument(
        '--rounds', type=positive, default=5, help='rounds of all models'
    )
    parser.add_argument(
        '--min-run-time', type=float, default=1.0, help='seconds per model and round'
    )
    parser.add_argument('--threads', type=positive, default=torch.get_num_threads())
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--out', type=Path, help='append result rows to this jsonl')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every asked-for case."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    for name in args.variants:
        for batch in args.batch:
            for mode in args.modes:
                row = benchmark_case(resolve_variant(name), batch, mode, args)
                if args.out:
                    with args.out.open('a') as rows:
                        rows.write(json.dumps(row) + '\n')


if __name__ == '__main__':
    main()
