"""From a config file and command-line options to a config that can run."""

import difflib
import importlib
import os
from argparse import ArgumentError, ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from pe_mm import compat

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def load_config(
    path: str | Path,
    *,
    options: Sequence[str] = (),
    work_dir: str | Path | None = None,
    launcher: str = 'auto',
) -> Config:
    """Read a config file and apply what the command line changes in it.

    Args:
        path: The config file.
        options: ``key=value`` words, as mmengine's ``--cfg-options`` takes them.
        work_dir: Where logs and checkpoints go; None for the config's own, or
            ``./work_dirs/<name of the config>`` where it has none.
        launcher: One of ``LAUNCHERS``, or 'auto' to find it out from the environment.

    Raises:
        FileNotFoundError: There is no such config; the message has the nearest names.
        ImportError: The config needs a package that cannot be imported.
        ValueError: The file is no config, or an option is not ``key=value`` or does
            not fit what it changes.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(_no_such_config(path))
    compat.format_configs_once()
    try:
        cfg = Config.fromfile(path)
    except ImportError as error:
        raise ImportError(f'config {path} cannot be read: {error}') from error
    except (SyntaxError, AttributeError, KeyError, TypeError, OSError) as error:
        raise ValueError(f'config {path} cannot be read: {error}') from error
    changes = parse_options(options)
    try:
        cfg.merge_from_dict(changes)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'the options {list(options)} do not fit config {path}: {error}'
        ) from error
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', path.stem))
    cfg.launcher = detect_launcher() if launcher == 'auto' else launcher
    return cfg


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """Parse ``key=value`` words as mmengine does: numbers, lists, tuples, strings.

    Raises:
        ValueError: A word has no ``=``, its brackets do not match, or it has dicts.
    """
    for word in words:
        if '=' not in word:
            raise ValueError(
                f'option {word!r} is not of the form key=value, such as '
                'train_dataloader.batch_size=4'
            )
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    try:
        parsed = parser.parse_args(['--cfg-options', *words] if words else [])
    except (ArgumentError, AssertionError, ValueError) as error:
        raise ValueError(f'cannot read the options {list(words)}: {error}') from error
    except RecursionError as error:  # mmengine never gets past the comma of a call.
        raise ValueError(
            f'cannot read the options {list(words)}: a value may hold lists and tuples '
            'but no dict(...) or other call; change its keys one by one, such as '
            'model.test_cfg.mode=slide, or write a config'
        ) from error
    return dict(parsed.cfg_options)


def detect_launcher() -> str:
    """Tell from the environment which launcher started this process."""
    if {'RANK', 'WORLD_SIZE', 'LOCAL_RANK'} <= os.environ.keys():
        return 'pytorch'
    # An interactive allocation has the number of tasks too, but no step.
    if 'SLURM_STEP_ID' in os.environ and int(os.environ.get('SLURM_NTASKS', 1)) > 1:
        return 'slurm'
    if 'OMPI_COMM_WORLD_LOCAL_RANK' in os.environ:
        return 'mpi'
    return 'none'


def check_stack(cfg: Config) -> None:
    """Make sure that the OpenMMLab package a config is written for can be imported.

    mmengine itself only warns, and fails later over a name missing from a registry.

    Raises:
        ImportError: Naming the package and what hinders it.
    """
    scope = cfg.get('default_scope')
    if scope in (None, 'mmengine'):
        return
    # mmdet and mmseg start without compiled operators and fail where they are used.
    modules = [scope, 'mmcv.ops'] if scope in ('mmdet', 'mmseg') else [scope]
    for module in modules:
        try:
            importlib.import_module(module)
        except (ImportError, AssertionError) as error:
            raise ImportError(
                f"the config's default_scope is {scope!r}, but {module} cannot be "
                f'imported: {error}'
            ) from error


def check_data(cfg: Config, *splits: str) -> None:
    """Make sure that the files and folders of the data sets exist, and hold something.

    Args:
        cfg: The config.
        splits: Which parts of it: 'train', 'val', 'test'.

    Raises:
        FileNotFoundError: Naming the missing path, or the empty folder, and what to do.
    """
    for split in splits:
        for part in (f'{split}_dataloader', f'{split}_evaluator'):
            for key, option, path in _local_paths(cfg.get(part), part):
                empty = path.is_dir() and not any(path.iterdir())
                if empty or not path.exists():
                    raise FileNotFoundError(_no_such_data(key, option, path))


def _local_paths(node: Any, where: str) -> Iterator[tuple[str, str, Path]]:
    """Yield what names data on this machine: its key, the option to mend it, the path.

    Args:
        node: A part of a config.
        where: Its key, with dots, as ``--cfg-options`` takes it.
    """
    if isinstance(node, (list, tuple)):
        for index, item in enumerate(node):
            yield from _local_paths(item, f'{where}.{index}')
    if not isinstance(node, Mapping):
        return
    root = node.get('data_root') or ''
    names: dict[str, Any] = {'data_root': root, 'ann_file': node.get('ann_file')}
    prefixes = node.get('data_prefix')
    for key, value in (prefixes if isinstance(prefixes, Mapping) else {}).items():
        names[f'data_prefix.{key}'] = value
    remote = (node.get('backend_args') or {}).get('backend', 'local') != 'local'
    for key, name in names.items():
        if (
            name
            and isinstance(name, str)
            and '://' not in f'{root}{name}'
            and not remote
        ):
            path = Path(name) if key == 'data_root' else Path(root, name)
            option = 'data_root' if root else key
            yield f'{where}.{key}', f'{where}.{option}', path
    for key, value in node.items():
        yield from _local_paths(value, f'{where}.{key}')


def _no_such_data(key: str, option: str, path: Path) -> str:
    parts = path.parts
    fix = 'put the data there'
    if 'demo' in parts:
        # The root of the demo data is what is missing, not the one file in it.
        root = Path(*parts[: parts.index('demo') + 1])
        fix = f'make the demo data with `pe-mm demo-data {root}`'
    lack = 'is empty' if path.exists() else 'does not exist'
    return (
        f'{path} {lack} ({key}); {fix}, or point the config at your data: '
        f'--cfg-options {option}=...'
    )


def _no_such_config(path: Path) -> str:
    roots = {parent for parent in (path.parent, Path('configs')) if parent.is_dir()}
    known = sorted({str(p) for root in roots for p in root.rglob('*.py')})
    names = {Path(p).name: p for p in known}
    near = difflib.get_close_matches(str(path), known, n=3)
    near += [names[name] for name in difflib.get_close_matches(path.name, names, n=3)]
    hint = f'; did you mean {", ".join(dict.fromkeys(near))}?' if near else ''
    return f'config {path} does not exist{hint}'
