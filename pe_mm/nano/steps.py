"""The nano chain's steps: data, then trainings, tests and sweeps for every seed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from pe_mm.checkpoints import CheckpointError
from pe_mm.engine.resuming import find_resumable_checkpoint

from .chain import Step

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs' / 'nano'
SCENES = {'train': 8000, 'val': 400, 'clips': 800, 'frames': 8}
SWEEP_TASKS = ('detection', 'segmentation', 'depth', 'tracking')

IMAGE, VIDEO = 'stage1_image_text', 'stage2_video_text'
ALIGNED = ('align_both', 'align_layer_only', 'align_masks_only')
STUDENT = 'distil_student'
# Tests of both towers, after each of the first two stages: folder -> config. The
# trainings' own tests are of retrieval.
ZERO_SHOT = {
    'zero_shot_classes': 'zero_shot_classes',
    'zero_shot_images': IMAGE,
    'zero_shot_clips': VIDEO,
}
# Processes of a training for which the configs' batches are meant.
CONFIG_PROCESSES = 2
# Whose layers are measured, and what tables call them.
ENCODERS = {
    VIDEO: 'PE-Core',
    'align_both': 'aligned, both losses',
    'align_layer_only': 'aligned, layer loss alone',
    'align_masks_only': 'aligned, mask loss alone',
    STUDENT: 'student of both',
}


@dataclass(frozen=True)
class ChainOptions:
    """What a chain runs on.

    Args:
        work_dir: Folder of everything that the chain makes but data and results.
        results: Folder of rows, tables and curves; chains of other seeds, also those of
            other machines, may have left theirs there.
        data: Folder of the scenes to train on, with clips.
        sweep_data: Folder of the demo scenes, which the sweeps measure on.
        seeds: Of the trainings and of the probes.
        processes: Of each training; together they have the configs' batches for two.
        workers: Processes that load data, for each of these; 0 for none besides it.
    """

    work_dir: Path
    results: Path
    data: Path
    sweep_data: Path
    seeds: Sequence[int]
    processes: int
    workers: int = 0

    def folder(self, seed: int, stage: str) -> Path:
        """Return the folder of a seed's training."""
        return self.work_dir / f'seed_{seed}' / stage

    @property
    def rows(self) -> Path:
        """The file of the sweeps' rows."""
        return self.results / 'rows.jsonl'


def trained(folder: Path) -> Path:
    """Return the checkpoint at the end of a finished training.

    Raises:
        CheckpointError: It is not there any more.
    """
    checkpoint = find_resumable_checkpoint(folder)
    if checkpoint is None:
        raise CheckpointError(
            f'{folder} has lost its checkpoint; delete the folder and start the chain '
            'again'
        )
    return checkpoint


def label(stage: str, seed: int) -> str:
    """Name an encoder in rows of results, in which each seed's is one of its own."""
    return f'{ENCODERS[stage]}, seed {seed}'


def build_steps(options: ChainOptions) -> list[Step]:
    """List the steps of a chain, in order.

    Raises:
        ValueError: The processes cannot share a training's batch evenly.
    """
    steps = [
        _scenes('to train on', options.data, options.work_dir, SCENES),
        _scenes('to measure on', options.sweep_data, options.work_dir, {}),
    ]
    for seed in options.seeds:
        steps += _seed_steps(options, seed)
    return steps


def _seed_steps(options: ChainOptions, seed: int) -> list[Step]:
    folder = {
        stage: options.folder(seed, stage)
        for stage in (IMAGE, VIDEO, *ALIGNED, STUDENT)
    }

    def start(stage: str, key: str) -> str:
        return f'{key}={trained(folder[stage])}'

    def train(stage: str, *sources: tuple[str, str]) -> Step:
        loader = _loader_options(stage, options)
        return Step(
            f'seed {seed}: {stage}',
            folder[stage],
            lambda: [
                *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
                *('--nproc-per-node', str(options.processes), '-m', 'pe_mm', 'train'),
                str(CONFIGS / f'{stage}.py'),
                *('--work-dir', str(folder[stage]), '--seed', str(seed), '--resume'),
                *('--cfg-options', *_data_options(stage, options.data)),
                *loader,
                *(start(*source) for source in sources),
            ],
        )

    student_and_teacher = (
        (VIDEO, 'model.backbone.init_cfg.checkpoint'),
        (VIDEO, 'model.teacher.init_cfg.checkpoint'),
    )
    return [
        train(IMAGE),
        *(_test(options, seed, IMAGE, name) for name in ZERO_SHOT),
        train(VIDEO, (IMAGE, 'load_from')),
        *(_test(options, seed, VIDEO, name) for name in ZERO_SHOT),
        _sweep(options, seed, VIDEO),
        _global_tokens(options, seed, VIDEO),
        *(train(stage, *student_and_teacher) for stage in ALIGNED),
        train(STUDENT, ('align_both', 'model.teacher.init_cfg.checkpoint')),
        *(_sweep(options, seed, stage) for stage in (*ALIGNED, STUDENT)),
        _global_tokens(options, seed, 'align_both'),
    ]


def _data_options(stage: str, data: Path) -> list[str]:
    key = 'train_dataloader.dataset'
    if stage in (IMAGE, VIDEO):
        loaders = ('train_dataloader', 'val_dataloader')
        return [f'{loader}.dataset.data_root={data}' for loader in loaders]
    maps = data / 'annotations' / 'panoptic_training'
    return [
        f'{key}.data_root={data / "images" / "training"}',
        f'{key}.instance_maps={maps}',
    ]


def _loader_options(stage: str, options: ChainOptions) -> list[str]:
    """Split a training's batch over its processes, however many there are.

    Raises:
        ValueError: It cannot be split so.
    """
    loader = Config.fromfile(CONFIGS / f'{stage}.py').train_dataloader
    batch = CONFIG_PROCESSES * loader.batch_size
    if batch % options.processes:
        raise ValueError(
            f'{stage} has batches of {batch}, which {options.processes} processes '
            'cannot share evenly; give another number of --processes'
        )
    settings = {'batch_size': batch // options.processes}
    if options.workers:
        settings |= {'num_workers': options.workers, 'persistent_workers': True}
    return [f'train_dataloader.{key}={value}' for key, value in settings.items()]


def _test(options: ChainOptions, seed: int, stage: str, name: str) -> Step:
    folder = options.folder(seed, stage)
    root = 'dataset.dataset' if name == 'zero_shot_classes' else 'dataset'
    return Step(
        f'seed {seed}: {name} after {stage}',
        folder / name,
        lambda: _pe_mm(
            *('test', str(CONFIGS / f'{ZERO_SHOT[name]}.py'), str(trained(folder))),
            *('--work-dir', str(folder / name)),
            *('--cfg-options', f'test_dataloader.{root}.data_root={options.data}'),
        ),
    )


def _pe_mm(*words: str) -> list[str]:
    return [sys.executable, '-m', 'pe_mm', *words]


def _scenes(purpose: str, root: Path, work_dir: Path, counts: dict[str, int]) -> Step:
    words = [f'--{name}={count}' for name, count in counts.items()]
    return Step(
        f'scenes {purpose}',
        work_dir / 'data' / purpose.replace(' ', '_'),
        lambda: _pe_mm('demo-data', str(root), *words),
        # Its data are in a folder that is not the chain's; what is there is kept.
        once=False,
    )


def _sweep(options: ChainOptions, seed: int, stage: str) -> Step:
    folder = options.folder(seed, stage)
    return Step(
        f'seed {seed}: layers of {ENCODERS[stage]}',
        folder / 'sweep',
        lambda: _pe_mm(
            'sweep',
            str(CONFIGS / f'{stage}.py'),
            *('--weights', str(trained(folder)), '--label', label(stage, seed)),
            *('--demo', '--data-root', str(options.sweep_data)),
            *('--tasks', *SWEEP_TASKS, '--layers', 'all', '--seeds', str(seed)),
            *('--out', str(options.results)),
        ),
    )


def _global_tokens(options: ChainOptions, seed: int, stage: str) -> Step:
    folder = options.folder(seed, stage)
    return Step(
        f'seed {seed}: global tokens of {ENCODERS[stage]}',
        folder / 'global_tokens',
        lambda: _pe_mm(
            'global-tokens',
            str(CONFIGS / f'{stage}.py'),
            str(options.sweep_data / 'images' / 'validation'),
            *('--weights', str(trained(folder)), '--layers', 'all', '--arrays'),
            *('--out', str(folder / 'global_tokens')),
        ),
    )
