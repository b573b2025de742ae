"""Check the installed stack and say how to mend what is wrong.

The exit code is 0 when nothing is an error; warnings are allowed.
"""

import argparse
import importlib
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pe_mm.installed import ONEDL_NAMES, version_of

HELP = 'check the installed stack and say how to mend what is wrong'

OTHER_MMCV_NAMES = ('mmcv-lite', 'mmcv-full')
UPSTREAM_PINS = {
    'mmengine': 'mmengine==0.10.7',
    'mmcv': 'mmcv==2.1.0',
    'mmdet': 'mmdet==3.3.0',
    'mmsegmentation': 'mmsegmentation==1.2.2',
}
MAKE_SETUP = 'make setup'
BUILD_MMCV = (
    "pip install 'setuptools<82' wheel ninja psutil && MMCV_WITH_OPS=1 pip install "
    '--no-build-isolation --no-binary mmcv --force-reinstall --no-deps mmcv==2.1.0'
)


@dataclass(frozen=True)
class Row:
    """What one check found: `found` in words, `fix` a command or an advice."""

    name: str
    status: Literal['ok', 'warn', 'error']
    found: str
    fix: str = ''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument('--json', action='store_true', help='print the rows as JSON')


def run(args: argparse.Namespace) -> int:
    """Print the table; 0 when no row is an error, else 1."""
    rows = examine()
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(format_rows(rows))
    return int(any(row.status == 'error' for row in rows))


def examine() -> list[Row]:
    """Run every check; a check that fails itself becomes an error row."""
    rows = []
    for check in CHECKS:
        try:
            rows.append(check())
        except Exception as error:
            name = check.__name__.removeprefix('check_')
            rows.append(Row(name, 'error', describe(error), MAKE_SETUP))
    return rows


def format_rows(rows: Sequence[Row]) -> str:
    """Lay the rows out as a table, each fix below its row, and a verdict."""
    width = max(len(row.name) for row in rows)
    lines = []
    for row in rows:
        lines.append(f'{row.status:5}  {row.name:{width}}  {row.found}')
        if row.fix:
            lines.append(f'{"":5}  {"":{width}}  fix: {row.fix}')
    count = {
        status: sum(row.status == status for row in rows)
        for status in ('error', 'warn')
    }
    verdict = f'errors: {count["error"]}, warnings: {count["warn"]}'
    return '\n'.join([*lines, '', verdict])


def describe(error: Exception) -> str:
    """Write an exception as one line of at most 200 characters."""
    text = ' '.join(f'{type(error).__name__}: {error}'.split())
    return text if len(text) <= 200 else f'{text[:197]}...'


def release(version: str) -> tuple[int, ...]:
    """Cut a version to its leading numbers: '2.13.0+cpu' -> (2, 13, 0)."""
    numbers: list[int] = []
    for part in version.partition('+')[0].split('.'):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def check_import(
    name: str,
    *,
    distributions: Sequence[str] = (),
    minimum: str = '',
    absent: Literal['warn', 'error'] = 'error',
    fix: str = MAKE_SETUP,
) -> Row:
    """Check that a package is there, new enough, and can be imported.

    Args:
        name: The import name, which is also the row's name.
        distributions: The names it may be installed under; `name` by default.
        minimum: The oldest version that does, or '' for any.
        absent: The status when it is not installed.
        fix: The command that mends it.
    """
    version = version_of(*(distributions or (name,)))
    if version is None:
        return Row(name, absent, 'not installed', fix)
    if minimum and release(version) < release(minimum):
        return Row(name, 'error', f'{version}, older than {minimum}', fix)
    try:
        importlib.import_module(name)
    except Exception as error:
        return Row(name, 'error', f'{version}, import fails: {describe(error)}', fix)
    return Row(name, 'ok', version)


def check_python() -> Row:
    """Python is one that the stack is tested with."""
    version = platform.python_version()
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return Row('python', 'ok', f'{version} ({sys.executable})')
    return Row(
        'python',
        'warn',
        f'{version}; mmcv 2.1.0 is known to build on 3.10 to 3.12',
        'use Python 3.11',
    )


def check_torch() -> Row:
    """Torch is there and has safe checkpoint loading."""
    return check_import('torch', minimum='2.6', fix="pip install 'torch>=2.6'")


def check_torchvision() -> Row:
    """Torchvision can be imported; its operators are a bonus."""
    # pe_mm has declared the operators that would else make the import fail.
    row = check_import('torchvision')
    if row.status != 'ok':
        return row
    extension = importlib.import_module('torchvision.extension')
    if extension._has_ops():
        return row
    torch_version = version_of('torch')
    return Row(
        'torchvision',
        'warn',
        f'{row.found} imports, but its operators do not load beside torch '
        f'{torch_version}; pe_mm, mmdet and mmseg do without',
        'install torch and torchvision from the same package index',
    )


def check_numpy() -> Row:
    """Numpy can be imported."""
    return check_import('numpy', fix='pip install numpy')


def check_opencv() -> Row:
    """OpenCV can be imported: it needs system libraries."""
    try:
        cv2 = importlib.import_module('cv2')
    except ImportError as error:
        return Row(
            'opencv',
            'error',
            describe(error),
            'pip install opencv-python; for libGL or libglib: '
            'sudo apt-get install libgl1 libglib2.0-0',
        )
    return Row('opencv', 'ok', cv2.__version__)


def check_mmengine() -> Row:
    """Mmengine is there; older ones crash beside newer torch."""
    names = ('mmengine', ONEDL_NAMES['mmengine'], 'mmengine-lite')
    fix = f'pip install {UPSTREAM_PINS["mmengine"]}'
    return check_import('mmengine', distributions=names, minimum='0.10.7', fix=fix)


def check_mmcv() -> Row:
    """Mmcv is there, and one of its compiled operators gives the right answer."""
    names = ('mmcv', ONEDL_NAMES['mmcv'], *OTHER_MMCV_NAMES)
    row = check_import(
        'mmcv', distributions=names, fix=f'{MAKE_SETUP}, or {BUILD_MMCV}'
    )
    if row.status != 'ok':
        return row
    try:
        kept = call_nms()
    except Exception as error:
        found = f'{row.found}, its operators do not work: {describe(error)}'
        return Row('mmcv', 'error', found, f'{MAKE_SETUP}, or {BUILD_MMCV}')
    if kept != [1, 2]:
        found = f'{row.found}, nms kept boxes {kept} instead of [1, 2]'
        return Row('mmcv', 'error', found, f'{MAKE_SETUP}, or {BUILD_MMCV}')
    return Row('mmcv', 'ok', f'{row.found} with compiled operators')


def call_nms() -> list[int]:
    """Call mmcv's nms on three boxes, of which the first overlaps a better one."""
    import torch
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]])
    _, kept = nms(boxes, torch.tensor([0.5, 0.9, 0.7]), iou_threshold=0.5)
    indices: list[int] = kept.tolist()
    return indices


def check_mmdet() -> Row:
    """Mmdet can be imported; detection and the demo need it."""
    names = ('mmdet', ONEDL_NAMES['mmdet'])
    fix = f'pip install {UPSTREAM_PINS["mmdet"]}'
    return check_import('mmdet', distributions=names, absent='warn', fix=fix)


def check_mmseg() -> Row:
    """Mmseg can be imported; segmentation and depth need it."""
    names = ('mmsegmentation', ONEDL_NAMES['mmsegmentation'])
    fix = f'pip install {UPSTREAM_PINS["mmsegmentation"]} ftfy regex'
    return check_import('mmseg', distributions=names, absent='warn', fix=fix)


def check_timm() -> Row:
    """Timm is there, with the layers that the encoder is made of."""
    return check_import('timm', minimum='1.0.31', fix="pip install 'timm>=1.0.31'")


def check_lvis() -> Row:
    """LVIS's own evaluation runs, where its package is there at all."""
    version = version_of('lvis')
    if version is None:
        return Row('lvis', 'ok', 'not installed; only the data set LVIS needs it')
    try:
        from pe_mm.detection import lvis_metric
    except ImportError:
        return Row('lvis', 'ok', f'{version}; to be used with mmdet')
    try:
        lvis_metric.check_lvis()
    except ImportError as error:
        reason = str(error).partition('. ')[0]
        found = f'{version} reads LVIS but cannot evaluate it: {reason}'
        return Row('lvis', 'warn', found, lvis_metric.INSTALL_LVIS)
    return Row('lvis', 'ok', version)


def check_setuptools() -> Row:
    """Setuptools still has pkg_resources, where mmengine needs it."""
    version = version_of('setuptools')
    if version_of('mmengine') is None:
        return Row('setuptools', 'ok', version or 'not installed')
    fix = "pip install 'setuptools<82'"
    why = 'mmengine reads mmdet:: and mmseg:: configs through pkg_resources'
    if version is None:
        return Row('setuptools', 'error', f'not installed; {why}', fix)
    if release(version) >= (82,):
        return Row('setuptools', 'error', f'{version} has no pkg_resources; {why}', fix)
    return Row('setuptools', 'ok', version)


def check_gpu() -> Row:
    """Name the GPUs that torch sees; none is fine."""
    import torch

    if not torch.cuda.is_available():
        return Row('gpu', 'ok', 'none; everything runs on the CPU')
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Row('gpu', 'ok', f'{", ".join(names)} (CUDA {torch.version.cuda})')


def check_stack() -> Row:
    """Only one of several packages that share their files is installed."""
    upstream = [name for name in UPSTREAM_PINS if version_of(name)]
    onedl = [name for name in ONEDL_NAMES.values() if version_of(name)]
    mmcv = [name for name in OTHER_MMCV_NAMES if version_of(name)]
    mixed = bool(upstream and onedl)
    doubled = bool(mmcv) and bool(version_of('mmcv', ONEDL_NAMES['mmcv']))
    if not mixed and not doubled:
        return Row('stack', 'ok', 'onedl' if onedl else 'upstream')
    clash = [*upstream, *onedl, *mmcv] if mixed else [*mmcv, 'mmcv']
    # Removing one takes the shared files of the other along: both go, one comes back.
    return Row(
        'stack',
        'error',
        f'installed over each other, in the same folders: {", ".join(clash)}',
        f'pip uninstall -y {" ".join(clash)} && {MAKE_SETUP}',
    )


def check_pe_mm() -> Row:
    """The encoder is found by the name that configs use, from mmengine's registry."""
    version = version_of('pe_mm') or 'not installed, imported from its folder'
    try:
        from mmengine.registry import MODELS

        import pe_mm.backbones

        found = MODELS.get('pe_mm.PerceptionEncoder')
    except Exception as error:
        return Row('pe_mm', 'error', describe(error), 'mend the rows above first')
    if found is not pe_mm.backbones.PerceptionEncoder:
        return Row(
            'pe_mm',
            'error',
            f"mmengine's registry gives {found} for pe_mm.PerceptionEncoder",
            'pip install -e . in the folder of pe_mm',
        )
    return Row('pe_mm', 'ok', f'{version}, PerceptionEncoder is registered')


CHECKS: tuple[Callable[[], Row], ...] = (
    check_python,
    check_torch,
    check_torchvision,
    check_numpy,
    check_opencv,
    check_mmengine,
    check_mmcv,
    check_mmdet,
    check_mmseg,
    check_timm,
    check_lvis,
    check_setuptools,
    check_gpu,
    check_stack,
    check_pe_mm,
)
