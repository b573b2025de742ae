"""Train any mmdet or mmseg config.

On several processes: torchrun --nproc-per-node 2 -m pe_mm train CONFIG
A run that was killed, at any moment, continues with --resume.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config

HELP = 'train any mmdet or mmseg config; resumable'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm train`."""
    add_config_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from this checkpoint; without one, from the newest intact '
        'checkpoint of the work directory',
    )
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision (needs a GPU)'
    )
    parser.add_argument(
        '--seed',
        type=int,
        help="overrides the config's randomness.seed, and the one that a resumed "
        'training began with',
    )


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `pe-mm train` and `pe-mm test` have in common."""
    parser.add_argument('config', metavar='CONFIG', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder of logs and checkpoints (default: work_dirs/<name of the config>)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change settings of the config, such as train_dataloader.batch_size=4 '
        'or model.backbone.out_indices="(1,3,5)"',
    )
    parser.add_argument(
        '--launcher',
        choices=('auto', 'none', 'pytorch', 'slurm', 'mpi'),
        default='auto',
        help='what started the processes (default: found out from the environment)',
    )


def run(args: argparse.Namespace) -> int:
    """Train; the log goes to the console and the work directory."""
    from pe_mm import compat
    from pe_mm.checkpoints.mmengine_loading import skip_pretrained
    from pe_mm.engine import (
        build_runner,
        enable_amp,
        find_resumable_checkpoint,
        load_config,
        read_training_checkpoint,
        save_checkpoints_safely,
    )

    cfg = load_config(
        args.config,
        options=args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
    )
    if args.seed is not None:
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': args.seed}
    if args.amp:
        enable_amp(cfg)
    save_checkpoints_safely(cfg)
    if args.resume == 'auto':
        checkpoint = find_resumable_checkpoint(cfg.work_dir)
        cfg.resume = checkpoint is not None
        cfg.load_from = str(checkpoint) if checkpoint else cfg.get('load_from')
    elif args.resume is not None:
        if not Path(args.resume).is_dir():  # FSDP's and DeepSpeed's sharded ones.
            read_training_checkpoint(args.resume)
        cfg.resume, cfg.load_from = True, args.resume
    if cfg.get('resume') and args.seed is None:
        keep_seed(cfg)
    runner = build_runner(cfg, 'train', 'val')
    if cfg.get('resume') and cfg.get('load_from'):
        if isinstance(runner.model, dict):  # FlexibleRunner builds it in train().
            runner.model = runner.strategy.build_model(runner.model)
        skip_pretrained(runner.model)
    runner.train()
    del runner
    compat.end_distributed()
    return 0


def keep_seed(cfg: 'Config') -> None:
    """Let a training go on with the seed that it began with, its order of data too."""
    from pe_mm.engine import read_training_checkpoint

    checkpoint = Path(cfg.get('load_from') or '')
    if checkpoint.is_file():
        seed = read_training_checkpoint(checkpoint)['meta'].get('seed')
        if seed is not None:
            cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': seed}
