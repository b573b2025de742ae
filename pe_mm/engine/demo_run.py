"""The steps of `pe-mm demo`; the state file remembers which of them are done."""

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from torch.multiprocessing import ProcessExitedException, spawn

from pe_mm.checkpoints import CheckpointError
from pe_mm.checkpoints.writing import atomic_file
from pe_mm.data import make_demo_data
from pe_mm.data.progress import TenthPrinter
from pe_mm.data.storage import encode_png, write_bytes
from pe_mm.installed import collect_versions
from pe_mm.prediction.drawing import Picture

from .demo_state import DemoState
from .demo_tasks import TASKS, DemoTask
from .launching import build_runner
from .resuming import find_resumable_checkpoint, read_training_checkpoint
from .run_report import draw_loss_curve, file_sha256, read_scalars, tile_scenes

CONFIG = 'demo_config.py'
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


def train(state: DemoState, task: str, cfg: Config, processes: int) -> None:
    """Train in processes of this machine, or continue an interrupted training.

    Two processes of one thread each are about twice as fast on two cores as one process
    of two threads: most of a detector's losses is sequential.

    Raises:
        ChildProcessError: A process failed; it has said why.
    """
    if task in state.seconds:
        return
    start = time.monotonic()
    work_dir = Path(cfg.work_dir)
    if find_resumable_checkpoint(work_dir) is not None and task not in state.resumed:
        state.resumed.append(task)
    state.save()
    print(f'[{task}] training, log in {work_dir}', flush=True)
    trained = cfg.copy()
    # Tested afterwards, with all cores.
    trained.val_cfg = trained.val_dataloader = trained.val_evaluator = None
    work_dir.mkdir(exist_ok=True)
    trained.dump(work_dir / CONFIG)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    arguments = ['train', str(work_dir / CONFIG), '--resume']
    arguments += ['--work-dir', str(work_dir)]
    try:
        spawn(_train_process, args=(processes, port, arguments), nprocs=processes)
    except ProcessExitedException as error:
        raise ChildProcessError(
            f'the training of {task} failed, as said above (log in {work_dir}); mend '
            'it and start the demo again, it goes on there'
        ) from error
    state.seconds[task] = time.monotonic() - start
    state.save()


def _train_process(rank: int, processes: int, port: int, arguments: list[str]) -> None:
    """Be one process of a training, as torchrun would start it."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(processes),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
    from pe_mm.cli.main import main

    code = main(arguments)
    if code:
        raise SystemExit(code)


def report(state: DemoState, configs: Mapping[str, Config]) -> None:
    """Test the trained models; leave curves, one picture of all tasks, and rows.

    Raises:
        CheckpointError: A trained checkpoint is not there any more.
    """
    start = time.monotonic()
    rows, panels, metrics = [], [], {}
    for name, cfg in configs.items():
        print(f'[{name}] testing', flush=True)
        checkpoint = find_resumable_checkpoint(cfg.work_dir)
        if checkpoint is None:
            raise CheckpointError(
                f'{cfg.work_dir} has lost its checkpoint; start again with --redo'
            )
        runner = build_runner(cfg, 'test')
        runner.load_checkpoint(str(checkpoint), strict=True)
        values = runner.test()
        task = TASKS[name]
        metrics[name] = {what: float(values[key]) for what, key in task.metrics.items()}
        draw_loss_curve(read_scalars(cfg.work_dir), Path(cfg.work_dir) / LOSS_CURVE)
        panels.append(draw_scenes(runner, task, _PICTURES))
        rows.append(
            _results_row(state, task, cfg, checkpoint) | {'metrics': metrics[name]}
        )
    titles = [
        f'{name}: {what}' for what in ('labels', 'predictions') for name in configs
    ]
    picture = tile_scenes(list(zip(*panels, strict=True)), titles=titles, columns=2)
    write_bytes(state.work_dir / PREDICTIONS, encode_png(picture))
    # Whole, because a report that was killed is made again.
    with atomic_file(state.work_dir / RESULTS) as temporary:
        temporary.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    state.metrics = metrics
    state.seconds['tests'] = time.monotonic() - start
    state.save()


def _results_row(
    state: DemoState, task: DemoTask, cfg: Config, checkpoint: Path
) -> dict[str, Any]:
    return {
        'task': f'demo {task.name}',
        'protocol': f'{task.protocol}, on {state.recipe["val"]} held-out demo scenes',
        'config': task.config,
        'backbone': cfg.model.backbone.to_dict(),
        'seed': cfg.randomness.seed,
        'epochs': read_training_checkpoint(checkpoint)['meta']['epoch'],
        'processes': state.recipe['processes'],
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
        values = ', '.join(f'{what} {value:.3f}' for what, value in metrics.items())
        folder = configs[name].work_dir
        print(f'  {name:13} {values}  (trained in {state.seconds[name]:.0f} s)')
        print(
            f'  {"":13} {find_resumable_checkpoint(folder)}, log and {LOSS_CURVE} there'
        )
    print(f'  predictions   {state.work_dir / PREDICTIONS}')
    print(f'  results rows  {state.work_dir / RESULTS}')
