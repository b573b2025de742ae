"""Time a sweep of all layers in one run against other ways to get the same numbers.

The encoder has random weights; the probes are segmentation's on the demo scenes, and
every batch's features are computed when they are needed. Timed in turn, training only:

  together    all L layers in one run
  single      the last layer alone: what one run cost before
  one by one  every layer alone, in an encoder that is cut after it
  probes      the steps of all L probes, on features that are there already

Printed are the wall time and, because other programs may have the cores too, the time
that this process was computing; then the ratios that a sweep promises.

    python tools/benchmark_sweep.py
    python tools/benchmark_sweep.py --depth 24 --iterations 5
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.registry import DefaultScope

import pe_mm
from pe_mm.engine.encoder_loading import PE_MEAN, PE_STD, LoadedEncoder
from pe_mm.probing.encoder import FrozenEncoder
from pe_mm.probing.features import Batch, ComputedFeatures, Features
from pe_mm.probing.probe_task import ProbeTask
from pe_mm.probing.tasks import TaskOptions, build_tasks
from pe_mm.probing.training import plan_batches, train

PATCH = 16


@dataclass(frozen=True)
class Seconds:
    """What a run took.

    Attributes:
        wall: By the clock.
        computing: Of this process, all threads together.
    """

    wall: float
    computing: float

    def __add__(self, other: 'Seconds') -> 'Seconds':
        return Seconds(self.wall + other.wall, self.computing + other.computing)


class SameBatch:
    """Features of one batch, again and again.

    Args:
        batch: Features and truths.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def batches(self, indices: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """Yield the batch as often as there are lists."""
        for _ in indices:
            yield self._batch


def make_encoder(
    depth: int, width: int, side: int, layers: Sequence[int]
) -> FrozenEncoder:
    """Build an encoder with seeded weights; blocks above the last layer are cut."""
    torch.manual_seed(0)
    variant = {
        'depth': depth,
        'width': width,
        'heads': width // 64,
        'patch_size': PATCH,
        'image_size': side,
    }
    module = pe_mm.PerceptionEncoder(variant, tuple(layers), freeze=True)
    loaded = LoadedEncoder(module, PE_MEAN, PE_STD, False, 'seeded', 'random', 'seed-0')
    return FrozenEncoder(loaded)


def time_training(
    task: ProbeTask, encoder: FrozenEncoder, features: Features | None = None
) -> Seconds:
    """Train probes on all of an encoder's layers; computes features if none are given.

    Returns:
        What it took.
    """
    source = features or ComputedFeatures(task, encoder, workers=0)
    wall, computing = time.perf_counter(), time.process_time()
    with DefaultScope.overwrite_default_scope(task.scope):
        train(
            task, source, encoder, encoder.layers, seed=0, on_progress=lambda *_: None
        )
    return Seconds(time.perf_counter() - wall, time.process_time() - computing)


def measure(args: argparse.Namespace) -> dict[str, Seconds]:
    """Time the four ways in turn."""
    side = args.tokens * PATCH
    options = TaskOptions(
        side=side,
        patch_size=PATCH,
        iterations=args.iterations,
        batch_size=args.batch_size,
        is_demo=True,
        data_root=args.data_root,
        limits=(8 * args.batch_size, 1),
    )
    (task,) = build_tasks(['segmentation'], options)
    layers = range(args.depth)
    together = make_encoder(args.depth, args.width, side, layers)
    alone = make_encoder(args.depth, args.width, side, [args.depth - 1])
    # What is done only once, such as reading code, is left out.
    (first,) = ComputedFeatures(task, together, 0).batches(
        [next(plan_batches(task, 0))]
    )
    found = {
        'together': time_training(task, together),
        'single': time_training(task, alone),
        'probes': time_training(task, together, SameBatch(first)),
        'one by one': Seconds(0, 0),
    }
    for layer in layers:
        encoder = make_encoder(args.depth, args.width, side, [layer])
        found['one by one'] += time_training(task, encoder)
    return found


def describe(found: dict[str, Seconds], depth: int) -> str:
    """Write the times and the ratios that follow."""
    lines = [f'{"":12}{"wall s":>10}{"computing s":>14}']
    lines += [
        f'{name:12}{seconds.wall:10.4g}{seconds.computing:14.4g}'
        for name, seconds in found.items()
    ]
    for kind in ('wall', 'computing'):
        whole, single, probes, one_by_one = (
            getattr(found[name], kind)
            for name in ('together', 'single', 'probes', 'one by one')
        )
        lines.append(
            f'{kind}: {depth} layers together take {whole / single:.2f} times one '
            f'layer, {(whole - probes) / single:.2f} without the probes (at most 1.5); '
            f'one by one they take {one_by_one / whole:.1f} times as long'
        )
    return '\n'.join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--depth', type=int, default=12, help='default: %(default)s')
    parser.add_argument('--width', type=int, default=384, help='default: %(default)s')
    parser.add_argument('--tokens', type=int, default=16, help='default: %(default)s')
    parser.add_argument(
        '--iterations', type=int, default=10, help='steps (default: %(default)s)'
    )
    parser.add_argument(
        '--batch-size', type=int, default=8, help='default: %(default)s'
    )
    parser.add_argument('--data-root', type=Path, default=Path('data/demo'))
    args = parser.parse_args(words)
    print(
        f'{args.depth} blocks of width {args.width}, {args.tokens**2} tokens, ', end=''
    )
    print(f'{args.iterations} steps of {args.batch_size} images, ', end='')
    print(f'{torch.get_num_threads()} threads, torch {torch.__version__}')
    print(describe(measure(args), args.depth))


if __name__ == '__main__':
    main()
