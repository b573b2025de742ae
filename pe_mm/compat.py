"""Workarounds for other libraries; each says why it is here and when it can go.

Nothing else in the package works around another library.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# The libraries are imported inside the functions: `pe-mm doctor` must run
# where any of them may be missing or broken.

_TORCHVISION_SCHEMAS = {
    'nms': '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    'qnms': '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
}
# A torch.library.Library withdraws its operators when it is collected.
_kept_libraries: 'list[torch.library.Library]' = []

_HISTORY_STATISTICS = ('current', 'max', 'mean', 'min')


def declare_torchvision_ops() -> tuple[str, ...]:
    """Let torchvision be imported where its compiled operators cannot load.

    Why: PyPI's torchvision is built for CUDA. Beside a CPU-only torch its library
    does not load, which it tolerates, but then it registers fake kernels for
    `torchvision::nms` and `torchvision::qnms`, which nobody has declared, and
    `import torchvision` (so also `import timm`) fails. Declared without a kernel they
    are enough for everything but calling them.
    Where the operators load, nothing is declared.

    Can go when: torchvision guards these two registrations as it guards the others,
    or PyPI's torchvision loads beside every torch.

    Returns:
        The names that were declared now; empty when there was nothing to do.
    """
    import torch

    if 'torchvision' in sys.modules or _load_torchvision_library():
        return ()
    missing = tuple(
        name
        for name in _TORCHVISION_SCHEMAS
        if not hasattr(torch.ops.torchvision, name)
    )
    if missing:
        library = torch.library.Library('torchvision', 'FRAGMENT')
        for name in missing:
            library.define(name + _TORCHVISION_SCHEMAS[name])
        _kept_libraries.append(library)
    return missing


def _load_torchvision_library() -> bool:
    """Load torchvision's operators without importing it; true if nothing is missing."""
    import torch

    spec = importlib.util.find_spec('torchvision')
    if spec is None or spec.origin is None:
        return True
    libraries = [
        path
        for path in Path(spec.origin).parent.glob('_C*')
        if path.suffix in {'.so', '.pyd', '.dylib'}
    ]
    try:
        for path in libraries:
            torch.ops.load_library(str(path))
    except (ImportError, OSError):
        return False
    return bool(libraries)


def allow_mmengine_checkpoints() -> None:
    """Allow what mmengine's checkpoints hold beside tensors under safe loading.

    Why: torch loads with `weights_only=True` and refuses the `HistoryBuffer`
    objects and numpy numbers in mmengine's message hub, so a run could not be resumed
    from its own checkpoint. Only plain data types are allowed here. A `HistoryBuffer`
    also pickles its statistics methods through `getattr`, with which a hostile file
    could reach any attribute; a stand-in that knows these methods alone replaces it.

    Can go when: mmengine allows its own types (the onedl fork does).
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    # The functions pickle under numpy's private module, whose name changed in 2.0.
    scalar: Any = np.float64(0).__reduce__()[0]
    rebuild_array: Any = np.empty(0).__reduce__()[0]
    aliased = [
        (function, f'numpy.{core}.multiarray.{name}')
        for function, name in ((scalar, 'scalar'), (rebuild_array, '_reconstruct'))
        for core in ('core', '_core')
    ]
    dtypes = {type(np.dtype(code)) for code in np.typecodes['All'] if code != 'O'}
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_history_statistic, 'builtins.getattr'),
            np.ndarray,
            np.dtype,
            *aliased,
            *sorted(dtypes, key=str),
        ]
    )


def _history_statistic(owner: type, name: str) -> Callable[..., Any]:
    """Return a statistics method of HistoryBuffer; refuse every other attribute."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in _HISTORY_STATISTICS:
        raise UnpicklingError(
            f'the checkpoint asks for attribute {name!r} of {owner!r}; only the '
            f'statistics of HistoryBuffer are allowed: {", ".join(_HISTORY_STATISTICS)}'
        )
    method: Callable[..., Any] = getattr(HistoryBuffer, name)
    return method


def prepare_cpu_distributed(cfg: Any) -> bool:
    """Let a config train under torchrun on a machine without an accelerator.

    Why: mmengine calls `torch.cuda.set_device` before it starts the process group, and
    gives DistributedDataParallel a device id, which it refuses for modules on the CPU;
    torch's SyncBatchNorm refuses the CPU too. So gloo is started here, DDP gets no
    device ids, and SyncBN becomes BN, as mmengine does itself in a single process. The
    strategies of its FlexibleRunner do the same; FSDP wants to hear 'cpu'.

    Can go when: mmengine picks gloo and no device ids where `get_device()` is 'cpu'.

    Args:
        cfg: mmengine's config, changed in place; its `launcher` must be set.

    Returns:
        Whether anything was prepared: not without torchrun or beside an accelerator.
    """
    from datetime import timedelta

    import torch.distributed
    from mmengine.device import get_device

    if cfg.get('launcher') != 'pytorch' or get_device() != 'cpu':
        return False
    if not torch.distributed.is_initialized():
        options = cfg.get('env_cfg', {}).get('dist_cfg', {})
        seconds = options.get('timeout', 1800)
        torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=seconds))
    wrapper = cfg.get('model_wrapper_cfg') or {
        'type': 'MMDistributedDataParallel',
        'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
    }
    cfg.model_wrapper_cfg = {**wrapper, 'device_ids': None}
    _place_strategy_on_cpu(cfg.get('strategy'))
    _replace_sync_bn(cfg.get('model'))
    return True


def end_distributed() -> None:
    """End the process group of a command that is done; call it when its model is gone.

    Why: mmengine leaves the group to the interpreter's exit, which then destroys it and
    its users (DistributedDataParallel, FSDP) in no certain order; with gloo a process
    was seen to wait there for ever, and torchrun with it.

    Can go when: mmengine's runners end the group that they started.
    """
    import gc

    import torch.distributed

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    # Models refer to themselves through their hooks.
    gc.collect()
    torch.distributed.destroy_process_group()


def _place_strategy_on_cpu(strategy: Any) -> None:
    """Give the model wrapper of a FlexibleRunner's strategy no number of a GPU."""
    devices: dict[str, dict[str, Any]] = {
        'DDPStrategy': {'type': 'MMDistributedDataParallel', 'device_ids': None},
        'FSDPStrategy': {'type': 'MMFullyShardedDataParallel', 'device_id': 'cpu'},
    }
    if not strategy or strategy.get('type') not in devices:
        return
    wrapper = strategy.get('model_wrapper') or {}
    strategy['model_wrapper'] = {**devices[strategy['type']], **wrapper}
    if strategy.get('state_dict_cfg') == 'full':
        # torch copies no weights that it moves to the CPU; on the CPU they would then
        # be those that it frees, and reading them ends the process.
        here = {'rank0_only': True, 'offload_to_cpu': False}
        strategy['state_dict_cfg'] = {
            'state_dict_type': 'FULL_STATE_DICT',
            'state_dict_config': {'type': 'FullStateDictConfig', **here},
            'optim_state_dict_config': {'type': 'FullOptimStateDictConfig', **here},
        }


def _replace_sync_bn(node: Any) -> None:
    """Turn every SyncBN of a model's config into BN."""
    if isinstance(node, dict):
        if node.get('type') == 'SyncBN':
            node['type'] = 'BN'
        for value in node.values():
            _replace_sync_bn(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            _replace_sync_bn(value)


def mend_fsdp_resume() -> None:
    """Let mmengine's FSDPStrategy resume a training.

    Why: `FullyShardedDataParallel.optim_state_dict_to_load` takes the model first since
    torch 2.1; mmengine 0.10.7 gives it the optimizer's state first, and a resumed
    training dies with "unhashable type: 'dict'".

    Can go when: mmengine passes the arguments by name.
    """
    from mmengine._strategy import FSDPStrategy
    from torch.distributed.fsdp import FullyShardedDataParallel

    def load_optim_state_dict(self: FSDPStrategy, state_dict: dict) -> None:
        wrapper = self.optim_wrapper
        own = FullyShardedDataParallel.optim_state_dict_to_load(
            self.model, wrapper.optimizer, state_dict
        )
        wrapper.load_state_dict(own)

    FSDPStrategy.load_optim_state_dict = load_optim_state_dict


def format_configs_once() -> None:
    """Let mmengine lay out the text of a config once per process.

    Why: the text goes into the log, the work directory and every checkpoint, and yapf
    lays it out anew each time: 1.5 s for a linear segmentation head, which is a tenth
    of a short epoch, and more for a detector.

    Can go when: mmengine's `Config.pretty_text` keeps what it made.
    """
    from functools import lru_cache, wraps

    from mmengine.config import config

    lay_out = config.FormatCode
    if hasattr(lay_out, '__wrapped__'):
        return

    @lru_cache(maxsize=8)
    def kept(text: str, style: tuple, options: tuple) -> tuple[str, bool]:
        made: tuple[str, bool] = lay_out(
            text, style_config=dict(style), **dict(options)
        )
        return made

    @wraps(lay_out)
    def format_code(text: str, style_config: dict, **options: Any) -> tuple[str, bool]:
        # Dicts cannot be looked up.
        return kept(text, tuple(style_config.items()), tuple(options.items()))

    config.FormatCode = format_code


def in_command_line() -> bool:
    """Tell whether this process is `pe-mm ...` or `python -m pe_mm ...`.

    `import pe_mm` may tolerate a broken stack there, and only there: the command line
    says what is wrong in one line, and `pe-mm doctor` how to mend it.
    """
    # While a package is imported for `-m`, argv[0] is '-m', and later its __main__.py.
    program = Path(sys.argv[0]) if sys.argv and sys.argv[0] else Path(os.devnull)
    if program.name == '-m':
        module = sys.orig_argv.index('-m') + 1 if '-m' in sys.orig_argv else 0
        return sys.orig_argv[module : module + 1] == ['pe_mm']
    return program.stem == 'pe-mm' or program.parts[-2:] == ('pe_mm', '__main__.py')
