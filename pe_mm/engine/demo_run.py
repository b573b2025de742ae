"""The steps of `pe-mm demo`; the state file remembers which of them are done."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

from pe_mm.checkpoints import CheckpointError
from pe_mm.checkpoints.writing import atomic_file
from pe_mm.data import make_demo_data
from pe_mm.data.progress import TenthPrinter
from pe_mm.data.storage import encode_png, write_bytes
from pe_mm.installed import collect_versions
from pe_mm.prediction.drawing import Picture

from .demo_state import DemoState
from .demo_tasks import TASKS, DemoTask
from .demo_training import CONSOLE, train
from .launching import build_runner
from .resuming import find_resumable_checkpoint, read_training_checkpoint
from .run_report import draw_loss_curve, file_sha256, read_scalars, tile_scenes

RESULTS = 'results.jsonl'
PREDICTIONS = 'predictions.png'
LOSS_CURVE = 'loss_curve.png'

_PICTURES = 4


def make_data(state: DemoState, root: Path, train: int, val: int) -> None:
    """Render the scenes that are missing."""
    start = time.monotonic()
    state.save()
    print(f'[scenes] {train} for training, {val} held out, in {root}', flush=True)
    make_demo_data(root, train=train, val=val, on_progress=TenthPrinter(' ' * 6))
    state.seconds.setdefault('scenes', time.monotonic() - start)
    state.save()


def train_and_test(state: DemoState, configs: Mapping[str, Config], jobs: int) -> None:
    """Train and test all tasks; leave curves, one picture of all, and rows.

    Args:
        state: Is told what is done, and saved.
        configs: Of all tasks, in the order of the picture.
        jobs: How many train at once, each on its share of the cores.

    Raises:
        ChildProcessError: A training failed; its last lines are on stderr then.
        CheckpointError: A trained checkpoint is not there any more.
    """
    # As many as there are cores, or as OMP_NUM_THREADS says.
    threads = torch.get_num_threads()
    tested = {}
    try:
        trained = train(state, configs, jobs, max(1, threads // jobs))
        with closing(trained):
            for name, others in trained:
                torch.set_num_threads(max(1, threads // (1 + others)))
                tested[name] = _test(state, name, configs[name], jobs)
    finally:
        torch.set_num_threads(threads)
    for name in configs:
        if name not in tested:  # Trained by a demo that was interrupted.
            tested[name] = _test(state, name, configs[name], jobs)
    _leave_report(state, [tested[name] for name in configs])


class _Tested(NamedTuple):
    """A task's metrics by name, pictures of labels and predictions, and its row."""

    name: str
    metrics: dict[str, float]
    panels: list[tuple[Picture, Picture]]
    row: dict[str, Any]


def _test(state: DemoState, name: str, cfg: Config, jobs: int) -> _Tested:
    checkpoint = find_resumable_checkpoint(cfg.work_dir)
    if checkpoint is None:
        raise CheckpointError(
            f'{cfg.work_dir} has lost its checkpoint; start again with --redo'
        )
    task = TASKS[name]
    with (
        (Path(cfg.work_dir) / CONSOLE).open('a') as console,
        redirect_stdout(console),
        redirect_stderr(console),
    ):
        runner = build_runner(cfg, 'test')
        runner.load_checkpoint(str(checkpoint), strict=True)
        values = runner.test()
        panels = draw_scenes(runner, task, _PICTURES)
        # They would go on writing to the console.
        for handler in list(runner.logger.handlers):
            runner.logger.removeHandler(handler)
            handler.close()
    metrics = {what: float(values[key]) for what, key in task.metrics.items()}
    print(f'[{name}] tested: {_describe(metrics)}', flush=True)
    draw_loss_curve(read_scalars(cfg.work_dir), Path(cfg.work_dir) / LOSS_CURVE)
    row = _results_row(state, task, cfg, jobs, checkpoint) | {'metrics': metrics}
    return _Tested(name, metrics, panels, row)


def _leave_report(state: DemoState, tested: Sequence[_Tested]) -> None:
    titles = [
        f'{one.name}: {what}' for what in ('labels', 'predictions') for one in tested
    ]
    scenes = list(zip(*(one.panels for one in tested), strict=True))
    picture = tile_scenes(scenes, titles=titles, columns=2)
    write_bytes(state.work_dir / PREDICTIONS, encode_png(picture))
    # Whole, because a report that was killed is made again.
    with atomic_file(state.work_dir / RESULTS) as temporary:
        temporary.write_text(''.join(json.dumps(one.row) + '\n' for one in tested))
    state.metrics = {one.name: one.metrics for one in tested}
    state.save()


def _describe(metrics: Mapping[str, float]) -> str:
    return ', '.join(f'{what} {value:.3f}' for what, value in metrics.items())


def _results_row(
    state: DemoState, task: DemoTask, cfg: Config, jobs: int, checkpoint: Path
) -> dict[str, Any]:
    return {
        'task': f'demo {task.name}',
        'protocol': f'{task.protocol}, on {state.recipe["val"]} held-out demo scenes',
        'config': task.config,
        'backbone': cfg.model.backbone.to_dict(),
        'seed': cfg.randomness.seed,
        'epochs': read_training_checkpoint(checkpoint)['meta']['epoch'],
        'trained_at_once': jobs,
        'training_scenes': cfg.train_dataloader.dataset.get('indices')
        or state.recipe['train'],
        'training_seconds': round(state.seconds[task.name], 1),
        'resumed': task.name in state.resumed,
        'checkpoint_sha256': file_sha256(checkpoint),
        'versions': collect_versions(),
    }


def draw_scenes(
    runner: Runner, task: DemoTask, count: int
) -> list[tuple[Picture, Picture]]:
    """Draw the labels and the predictions of scenes spread over the test set."""
    dataset = runner.test_dataloader.dataset
    chosen = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)
    runner.model.eval()
    with torch.no_grad():
        batch = pseudo_collate([dataset[int(index)] for index in chosen])
        samples = runner.model.test_step(batch)
    return [
        task.draw(dataset, int(index), sample)
        for index, sample in zip(chosen, samples, strict=True)
    ]


def print_summary(state: DemoState, configs: Mapping[str, Config]) -> None:
    """Say what came out and where it is."""
    print(f'\nOn {state.recipe["val"]} held-out scenes:')
    for name, metrics in state.metrics.items():
        folder = configs[name].work_dir
        line = f'  {name:13} {_describe(metrics)}'
        print(f'{line}  (trained in {state.seconds[name]:.0f} s)')
        print(
            f'  {"":13} {find_resumable_checkpoint(folder)}, log and {LOSS_CURVE} there'
        )
    print(f'  predictions   {state.work_dir / PREDICTIONS}')
    print(f'  results rows  {state.work_dir / RESULTS}')
