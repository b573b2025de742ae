"""Which versions are installed; asks no library, since one may be broken."""

import importlib.metadata
import platform

import pe_mm

# One name per package of the maintained fork, which has the same import names.
ONEDL_NAMES = {
    'mmengine': 'onedl-mmengine',
    'mmcv': 'onedl-mmcv',
    'mmdet': 'onedl-mmdetection',
    'mmsegmentation': 'onedl-mmsegmentation',
}
_MATTERS = ('torch', 'timm', 'mmengine', 'mmcv', 'mmdet', 'mmsegmentation', 'numpy')


def version_of(*names: str) -> str | None:
    """Return the version of the first of these distributions that is installed."""
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def collect_versions() -> dict[str, str]:
    """Return the versions of what results depend on; what is missing is left out."""
    found = {name: version_of(name, ONEDL_NAMES.get(name, name)) for name in _MATTERS}
    return {
        'pe_mm': pe_mm.__version__,
        'python': platform.python_version(),
        **{name: version for name, version in found.items() if version is not None},
    }
