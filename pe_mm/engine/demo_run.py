"""The steps of `pe-mm demo`; the state file remembers which of them are done."""

import json
import os
import socket
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv import imread
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from numpy.typing import NDArray
from torch.multiprocessing import spawn

from pe_mm.checkpoints import CheckpointError
from pe_mm.checkpoints.writing import atomic_file
from pe_mm.data import PALETTE, make_demo_data
from pe_mm.data.progress import TenthPrinter

from .launching import build_runner
from .resuming import find_resumable_checkpoint, read_training_checkpoint
from .run_report import (
    Picture,
    append_result,
    draw_instances,
    draw_loss_curve,
    file_sha256,
    read_scalars,
    tile_pairs,
)

STATE = 'demo.json'
CONFIG = 'demo_config.py'
RESULTS = 'results.jsonl'

_PICTURES = 8
# Pictures show what a user would accept; AP counts detections of every score.
_MIN_SCORE = 0.4
_METRICS = {
    'box AP': 'coco/bbox_mAP',
    'box AP50': 'coco/bbox_mAP_50',
    'mask AP': 'coco/segm_mAP',
    'mask AP50': 'coco/segm_mAP_50',
}


@dataclass
class DemoState:
    """What is done of a demo, kept in its work directory.

    Args:
        work_dir: The demo's folder.
        recipe: What the result depends on; a folder belongs to one recipe.
        seconds: Time that each finished step took.
        metrics: Name to value, once tested.
        resumed: Whether the training was interrupted, so that its time is not whole.
    """

    work_dir: Path
    recipe: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    resumed: bool = False

    @classmethod
    def open(cls, work_dir: Path, recipe: dict[str, Any]) -> 'DemoState':
        """Read the state of a folder, or begin one.

        Raises:
            ValueError: The folder holds a demo of another recipe, or something else.
        """
        path = work_dir / STATE
        if not path.is_file():
            if work_dir.is_dir() and any(work_dir.iterdir()):
                raise ValueError(
                    f'{work_dir} is not empty and holds no demo; choose another folder '
                    'with --work-dir'
                )
            return cls(work_dir, recipe)
        state = cls(work_dir, **json.loads(path.read_text()))
        if state.recipe != json.loads(json.dumps(recipe)):
            changed = [key for key in recipe if state.recipe.get(key) != recipe[key]]
            raise ValueError(
                f'{work_dir} holds a demo with another {", ".join(changed)}; replace '
                'it with --redo, or choose another folder with --work-dir'
            )
        return state

    @property
    def is_finished(self) -> bool:
        """Whether every step is done."""
        return bool(self.metrics)

    def save(self) -> None:
        """Write the state, so that a killed process leaves the old one or the new."""
        content = {
            'recipe': self.recipe,
            'seconds': self.seconds,
            'metrics': self.metrics,
            'resumed': self.resumed,
        }
        with atomic_file(self.work_dir / STATE) as temporary:
            temporary.write_text(json.dumps(content, indent=1))


def make_data(state: DemoState, root: Path, train: int, val: int) -> None:
    """Render the scenes that are missing."""
    start = time.monotonic()
    state.save()
    print(f'[1/3] scenes: {train} for training, {val} held out, in {root}', flush=True)
    make_demo_data(root, train=train, val=val, on_progress=TenthPrinter(' ' * 6))
    state.seconds.setdefault('data', time.monotonic() - start)
    state.save()


def train(state: DemoState, cfg: Config, processes: int) -> None:
    """Train in processes of this machine, or continue an interrupted training.

    Two processes of one thread each are about twice as fast on two cores as one process
    of two threads: most of a detector's losses is sequential.
    """
    if 'train' in state.seconds:
        return
    start = time.monotonic()
    checkpoint = find_resumable_checkpoint(state.work_dir)
    state.resumed = checkpoint is not None
    state.save()
    print(f'[2/3] training, log in {state.work_dir}', flush=True)
    trained = cfg.copy()
    # Tested afterwards, with all cores.
    trained.val_cfg = trained.val_dataloader = trained.val_evaluator = None
    trained.dump(state.work_dir / CONFIG)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    arguments = ['train', str(state.work_dir / CONFIG), '--resume']
    arguments += ['--work-dir', str(state.work_dir)]
    spawn(_train_process, args=(processes, port, arguments), nprocs=processes)
    state.seconds['train'] = time.monotonic() - start
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


def report(state: DemoState, cfg: Config) -> None:
    """Test the trained model, and leave curve, pictures and a results row.

    Raises:
        CheckpointError: The trained checkpoint is not there any more.
    """
    start = time.monotonic()
    print('[3/3] testing', flush=True)
    checkpoint = find_resumable_checkpoint(state.work_dir)
    if checkpoint is None:
        raise CheckpointError(
            f'{state.work_dir} has lost its checkpoint; start again with --redo'
        )
    runner = build_runner(cfg, 'test')
    runner.load_checkpoint(str(checkpoint), strict=True)
    values = runner.test()
    draw_loss_curve(read_scalars(state.work_dir), state.work_dir / 'loss_curve.png')
    pictures = draw_predictions(runner, _PICTURES)
    cv2.imwrite(str(state.work_dir / 'predictions.png'), pictures)
    state.metrics = {name: float(values[key]) for name, key in _METRICS.items()}
    state.seconds['test'] = time.monotonic() - start
    append_result(state.work_dir / RESULTS, _results_row(state, cfg, checkpoint))
    state.save()


def _results_row(state: DemoState, cfg: Config, checkpoint: Path) -> dict[str, Any]:
    epochs = read_training_checkpoint(checkpoint)['meta']['epoch']
    packages = ('torch', 'timm', 'mmengine', 'mmcv', 'mmdet', 'numpy')
    return {
        'task': 'demo instance segmentation',
        'metrics': state.metrics,
        'protocol': f'CocoMetric on {state.recipe["val"]} held-out demo scenes',
        'config': Path(cfg.filename).stem,
        'backbone': cfg.model.backbone.to_dict(),
        'seed': cfg.randomness.seed,
        'epochs': epochs,
        'processes': state.recipe['processes'],
        'training_scenes': state.recipe['train'],
        'seconds': {name: round(value, 1) for name, value in state.seconds.items()},
        'resumed': state.resumed,
        'checkpoint_sha256': file_sha256(checkpoint),
        'versions': {name: version(name) for name in packages},
    }


def draw_predictions(runner: Runner, count: int) -> Picture:
    """Draw the labels and the predictions of scenes spread over the test set."""
    dataset = runner.test_dataloader.dataset
    chosen = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)
    runner.model.eval()
    with torch.no_grad():
        batch = pseudo_collate([dataset[int(index)] for index in chosen])
        samples = runner.model.test_step(batch)
    names = dataset.metainfo['classes']
    # PALETTE is RGB, OpenCV's pictures are BGR.
    colors = [PALETTE[k % len(PALETTE)][::-1] for k in range(len(names))]
    pairs = []
    for index, sample in zip(chosen, samples, strict=True):
        info = dataset.get_data_info(int(index))
        image: Picture = imread(info['img_path'])
        instances = info['instances']
        labels = [instance['bbox_label'] for instance in instances]
        truth = draw_instances(
            image,
            boxes=np.array([instance['bbox'] for instance in instances]).reshape(-1, 4),
            masks=[_fill(instance['mask'], image.shape[:2]) for instance in instances],
            names=[names[label] for label in labels],
            colors=[colors[label] for label in labels],
        )
        found = sample.pred_instances
        found = found[found.scores >= _MIN_SCORE]
        predicted = draw_instances(
            image,
            boxes=found.bboxes.numpy(),
            masks=found.masks.numpy(),
            names=[
                f'{names[label]} {score:.2f}'
                for label, score in zip(found.labels, found.scores, strict=True)
            ],
            colors=[colors[label] for label in found.labels],
        )
        pairs.append((truth, predicted))
    return tile_pairs(pairs, titles=('labels', 'predictions'), columns=2)


def print_summary(state: DemoState) -> None:
    """Say what came out and where it is."""
    values = ', '.join(f'{name} {value:.3f}' for name, value in state.metrics.items())
    seconds = ', '.join(
        f'{name} {value:.0f} s' for name, value in state.seconds.items()
    )
    checkpoint = find_resumable_checkpoint(state.work_dir)
    # mmengine makes one folder per start; the oldest is the training's.
    logs = sorted(state.work_dir.glob('*/*.log'))
    files = {
        'checkpoint': checkpoint,
        'training log': logs[0] if logs else None,
        'loss curve': state.work_dir / 'loss_curve.png',
        'predictions': state.work_dir / 'predictions.png',
        'results row': state.work_dir / RESULTS,
    }
    print(f'\nOn {state.recipe["val"]} held-out scenes: {values}  ({seconds})')
    for name, path in files.items():
        print(f'  {name:12} {path}')


def _fill(polygons: list[list[float]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Rasterise COCO polygons."""
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:
        points = np.round(np.array(polygon).reshape(-1, 2)).astype(np.int32)
        cv2.fillPoly(mask, [points], 1)
    return mask.astype(bool)
