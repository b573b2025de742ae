"""Test a checkpoint with any mmdet or mmseg config and print the metrics."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .train import add_config_arguments

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

HELP = 'test a checkpoint with any mmdet or mmseg config'

_VISUALIZATION_HOOKS = {
    'mmdet': 'DetVisualizationHook',
    'mmseg': 'SegVisualizationHook',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pe-mm test`."""
    add_config_arguments(parser)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='checkpoint file')
    parser.add_argument('--out', metavar='FILE.pkl', help='save the predictions here')
    parser.add_argument(
        '--show-dir', metavar='DIR', help='draw the predictions into this folder'
    )


def run(args: argparse.Namespace) -> int:
    """Test and print one line per metric."""
    from pe_mm import compat
    from pe_mm.engine import build_runner, load_config

    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--out must end with .pkl, got {args.out}')
    cfg = load_config(
        args.config,
        options=args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
    )
    if args.show_dir:
        draw_predictions(cfg, Path(args.show_dir))
    runner = build_runner(cfg, 'test')
    if isinstance(runner.model, dict):  # FlexibleRunner builds it in test().
        runner.strategy.prepare(runner.model)
        runner.model = runner.strategy.model
    load_weights(runner, args.checkpoint)
    if args.out:
        dump_predictions(runner, args.out)
    metrics = runner.test()
    if runner.rank == 0:
        for name, value in metrics.items():
            print(f'{name}: {value}')
    del runner
    compat.end_distributed()
    return 0


def load_weights(runner: 'Runner', checkpoint: str) -> None:
    """Load every parameter of the model; mmengine alone would only log what differs.

    An ``ImageTextModel`` takes Meta's and open_clip's files too.

    Raises:
        pe_mm.checkpoints.CheckpointError: The file is missing, torn or unsafe, or of
            another model.
    """
    from pe_mm.contrastive import ImageTextModel, load_image_text_weights
    from pe_mm.engine.resuming import strict_loading
    from pe_mm.engine.unwrapping import unwrapped_model

    model = unwrapped_model(runner)
    with strict_loading(checkpoint):
        if isinstance(model, ImageTextModel):
            load_image_text_weights(model, checkpoint)
            # Else the runner would load the config's load_from over it.
            runner._has_loaded = True
        else:
            runner.load_checkpoint(checkpoint, strict=True)


def dump_predictions(runner: 'Runner', path: str) -> None:
    """Have the predictions saved as a pickle file after the test."""
    if runner.cfg.get('default_scope') == 'mmdet':
        from mmdet.evaluation import DumpDetResults as DumpResults
    else:
        from mmengine.evaluator import DumpResults
    runner.test_evaluator.metrics.append(DumpResults(out_file_path=path))


def draw_predictions(cfg: 'Config', folder: Path) -> None:
    """Turn the visualization hook on, writing to a folder.

    Raises:
        ValueError: It is not known which hook draws this config's predictions.
    """
    scope = cfg.get('default_scope')
    hooks = cfg.get('default_hooks') or {}
    hook = hooks.get('visualization') or {'type': _VISUALIZATION_HOOKS.get(scope)}
    if hook['type'] is None:
        raise ValueError(
            f'--show-dir needs default_hooks.visualization in a config of {scope}'
        )
    hook = {**hook, 'draw': True}
    # mmdet's hook takes a folder, relative to one of its own; mmseg's draws every 50th
    # picture, where its visualizer saves.
    if scope == 'mmdet':
        hook['test_out_dir'] = str(folder.resolve())
    else:
        hook['interval'] = 1
        cfg.visualizer = {
            **cfg.get('visualizer', {}),
            'save_dir': str(folder.resolve()),
        }
    cfg.default_hooks = {**hooks, 'visualization': hook}
