"""Building the runner of a config, with clear errors for what can be missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from pe_mm import compat

from .configuring import check_data, check_stack
from .covers_backbone_hook import CoversBackboneHook
from .finite_loss_hook import FiniteLossHook
from .paired_files_hook import PairedFilesHook
from .resumed_data_hook import ResumedDataHook
from .skipped_samples_hook import SkippedSamplesHook

# In every training and test, unless the config has one of the kind.
_HOOKS = (
    CoversBackboneHook,
    PairedFilesHook,
    FiniteLossHook,
    SkippedSamplesHook,
    ResumedDataHook,
)
# Optimizers whose step of a weight is not that of its slices.
_WHOLE_WEIGHTS = ('adafactor', 'kron', 'lamb', 'lars', 'muon')


def build_runner(cfg: Config, *splits: str) -> Runner:
    """Build the runner, in the process group of the launcher that started it.

    Args:
        cfg: A config as ``load_config`` returns it.
        splits: The parts of the data that will be used: 'train', 'val', 'test'.

    Raises:
        ImportError: The config's OpenMMLab package cannot be imported.
        FileNotFoundError: Data is missing.
        ValueError: The config names something that is not registered, or wants FSDP
            with checkpoints that could not be resumed from, or with a model, an
            optimizer or clipping that needs whole weights.
    """
    check_stack(cfg)
    check_data(cfg, *splits)
    compat.prepare_cpu_distributed(cfg)
    if cfg.get('strategy', {}).get('type') == 'FSDPStrategy':
        _check_fsdp(cfg)
        compat.mend_fsdp_resume()
    if 'runner_type' in cfg:
        # FlexibleRunner.from_cfg passes None where there is none, not its default.
        cfg.setdefault('env_cfg', {'dist_cfg': {'backend': 'nccl'}})
    with unknown_names_are_user_errors():
        build = RUNNERS.build if 'runner_type' in cfg else Runner.from_cfg
        runner: Runner = build(cfg)
    for kind in _HOOKS:
        if not any(type(hook) is kind for hook in runner.hooks):
            runner.register_hook(kind())
    return runner


def _check_fsdp(cfg: Config) -> None:
    """Refuse checkpoints that no training could be resumed from, and false steps."""
    model = str(cfg.get('model', {}).get('type'))
    if model.rpartition('.')[2] == 'ImageTextModel':
        raise ValueError(
            f'{model} has one number as a parameter, logit_scale, which FSDP refuses; '
            'leave the strategy out: DDP'
        )
    wrapper = cfg.get('optim_wrapper') or {}
    optimizer = str(wrapper.get('optimizer', {}).get('type'))
    if optimizer.rpartition('.')[2].lower() in _WHOLE_WEIGHTS:
        raise ValueError(
            f'{optimizer} needs each weight as a whole, for its norm or as a matrix, '
            'and FSDPStrategy gives every process flat slices of it, so that its steps '
            'would be others; use AdamW, or leave the strategy out: DDP'
        )
    if wrapper.get('clip_grad'):
        raise ValueError(
            'clip_grad under FSDPStrategy clips by the norm of the slices that each '
            'process has, which differs between them; set optim_wrapper.clip_grad=None'
        )
    if cfg.strategy.get('state_dict_cfg', 'local') == 'local':
        raise ValueError(
            "FSDPStrategy with state_dict_cfg='local', mmengine's default, writes "
            'objects that safe loading refuses, so the training could not be resumed; '
            "set strategy.state_dict_cfg='full': rank 0 writes an ordinary checkpoint"
        )


@contextmanager
def unknown_names_are_user_errors() -> Iterator[None]:
    """Turn what a registry raises for a name that it lacks into one message.

    Raises:
        ValueError: Naming what is not registered, and where.
    """
    try:
        yield
    except KeyError as error:
        message = str(error.args[0]) if error.args else ''
        if 'registry' not in message:
            raise
        raise ValueError(message.split(' More details')[0]) from error


def enable_amp(cfg: Config) -> None:
    """Train in mixed precision, as ``--amp`` of mmdet and mmseg does.

    Raises:
        ValueError: The optimizer wrapper is a special one, or there is no accelerator.
    """
    from mmengine.device import get_device

    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f"--amp works with optim_wrapper type 'OptimWrapper', not {wrapper!r}"
        )
    if get_device() == 'cpu':
        raise ValueError(
            '--amp needs a GPU: mmengine has no mixed precision on the CPU; leave '
            "--amp out, or put dict(type='pe_mm.AutocastHook', part='') into "
            'custom_hooks'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def save_checkpoints_safely(cfg: Config) -> None:
    """Put SafeCheckpointHook where the config has mmengine's CheckpointHook."""
    hooks = cfg.get('default_hooks') or {}
    hook = hooks.get('checkpoint', {'type': 'CheckpointHook', 'interval': 1})
    if hook and hook.get('type') in ('CheckpointHook', 'mmengine.CheckpointHook'):
        safe = {**hook, 'type': 'pe_mm.SafeCheckpointHook'}
        cfg.default_hooks = {**hooks, 'checkpoint': safe}
