"""Train models on rendered scenes and show what they learned.

Makes the scenes, trains a Mask R-CNN, a linear segmentation head and a DPT depth head,
each on a nano encoder of configs/nano, on the CPU, tests on held-out scenes, and
draws loss curves and one picture with the labels and predictions of all. A demo that
was interrupted, at any moment, continues when it is started again.
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config

HELP = 'make scenes, train models on them, show their predictions (9 minutes)'

CONFIGS = Path(__file__).parents[2] / 'configs' / 'demo'
TASKS = ('detection', 'segmentation', 'depth')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm demo`."""
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/demo'),
        metavar='DIR',
        help='where the results go (default: %(default)s)',
    )
    parser.add_argument(
        '--data-dir',
        type=Path,
        default=Path('data/demo'),
        metavar='DIR',
        help='where the scenes are, or will be made (default: %(default)s)',
    )
    parser.add_argument(
        '--tasks',
        nargs='+',
        choices=TASKS,
        default=list(TASKS),
        help='what to train, 2 to 8 minutes each (default: all)',
    )
    parser.add_argument(
        '--train', type=int, default=2000, help='training scenes (default: %(default)s)'
    )
    parser.add_argument(
        '--val', type=int, default=200, help='held-out scenes (default: %(default)s)'
    )
    parser.add_argument(
        '--jobs',
        type=int,
        help='trainings at once, each on its share of the cores (default: as many as '
        'there are cores, at most one per task)',
    )
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change settings of all the configs, such as train_cfg.max_epochs=2',
    )
    parser.add_argument(
        '--redo', action='store_true', help='drop what an earlier demo left'
    )


def run(args: argparse.Namespace) -> int:
    """Do what is not done yet, and say where the results are."""
    # The recipe is the same on every machine, also on one with GPUs.
    os.environ['CUDA_VISIBLE_DEVICES'] = ''
    from pe_mm.data.pool import available_cores
    from pe_mm.engine import check_stack, demo_run
    from pe_mm.engine.demo_state import STATE, DemoState

    if args.jobs is not None and args.jobs < 1:
        raise ValueError(f'--jobs must be at least 1, got {args.jobs}')
    started = time.monotonic()
    configs = {task: demo_config(task, args) for task in TASKS if task in args.tasks}
    for cfg in configs.values():
        check_stack(cfg)
    jobs = min(args.jobs or available_cores(), len(configs))
    if args.redo and (args.work_dir / STATE).is_file():
        drop_folder(args.work_dir)
    recipe = {
        'configs': {task: cfg.to_dict() for task, cfg in configs.items()},
        'train': args.train,
        'val': args.val,
    }
    state = DemoState.open(args.work_dir, recipe)
    if state.is_finished:
        print('This demo was finished before; `pe-mm demo --redo` does it again.')
    else:
        demo_run.make_data(state, args.data_dir, args.train, args.val)
        demo_run.train_and_test(state, configs, jobs)
    demo_run.print_summary(state, configs)
    print(f'  this run took {time.monotonic() - started:.0f} s')
    return 0


def drop_folder(folder: Path) -> None:
    """Delete a folder; one that is killed at it leaves no half of it in its place."""
    doomed = Path(tempfile.mkdtemp(prefix=f'.{folder.name}.', dir=folder.parent))
    folder.replace(doomed)
    shutil.rmtree(doomed)


def demo_config(task: str, args: argparse.Namespace) -> 'Config':
    """Return a task's config, reading the scenes of ``--data-dir``."""
    from pe_mm.engine import load_config
    from pe_mm.engine.demo_tasks import TASKS as DEMO_TASKS

    cfg = load_config(
        CONFIGS / f'{DEMO_TASKS[task].config}.py',
        options=args.cfg_options,
        work_dir=args.work_dir / task,
        launcher='none',
    )
    cfg.randomness = {'seed': args.seed}
    for part in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[part].dataset.data_root = str(args.data_dir)
    # mmengine takes the first scenes only if there are more.
    if cfg.train_dataloader.dataset.get('indices', 0) >= args.train:
        del cfg.train_dataloader.dataset.indices
    for part in ('val_evaluator', 'test_evaluator'):
        if 'ann_file' in cfg[part]:
            name = Path(cfg[part].ann_file).name
            cfg[part].ann_file = str(args.data_dir / 'annotations' / name)
    return cfg
